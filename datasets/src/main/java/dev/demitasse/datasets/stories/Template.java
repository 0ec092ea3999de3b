package dev.demitasse.datasets.stories;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A text with places to fill: {@code {hero.his}} is a field of something in the story, {@code <happy>} a phrase of the
 * phrase book, {@code [left|right]} a choice. An upper-case letter in a field's or phrase's name makes its text start with
 * one.
 */
sealed interface Template {
    /** Words as they stand. */
    record Text(String text) implements Template {}

    /** A field of something in the story; of {@code {hero}} it is the field {@code ""}. */
    record Slot(String thing, String field, boolean capital) implements Template {}

    /** A phrase in one of its wordings. */
    record Phrase(String name, boolean capital) implements Template {}

    /** One of these. */
    record Choice(List<Template> alternatives) implements Template {}

    /** All of these, one after another. */
    record Sequence(List<Template> parts) implements Template {}

    /** Reads a template. */
    static Template parse(String text) {
        List<Template> parts = new ArrayList<>();
        int at = 0;
        while (at < text.length()) {
            int open = nextMark(text, at);
            if (open > at) {
                parts.add(new Text(text.substring(at, open)));
            }
            if (open == text.length()) {
                break;
            }
            int close = text.indexOf(closing(text.charAt(open)), open);
            if (close < 0) {
                throw new IllegalArgumentException("no end of '" + text.substring(open) + "'");
            }
            parts.add(mark(text.charAt(open), text.substring(open + 1, close)));
            at = close + 1;
        }
        return parts.size() == 1 ? parts.getFirst() : new Sequence(List.copyOf(parts));
    }

    private static int nextMark(String text, int from) {
        int at = from;
        while (at < text.length() && "{<[".indexOf(text.charAt(at)) < 0) {
            at++;
        }
        return at;
    }

    private static char closing(char mark) {
        return switch (mark) {
            case '{' -> '}';
            case '<' -> '>';
            default -> ']';
        };
    }

    private static Template mark(char mark, String inside) {
        if (mark == '[') {
            List<Template> alternatives = new ArrayList<>();
            for (String alternative : inside.split("\\|", -1)) {
                alternatives.add(parse(alternative));
            }
            return new Choice(List.copyOf(alternatives));
        }
        String name = inside.toLowerCase(Locale.ROOT);
        boolean capital = !name.equals(inside);
        if (mark == '<') {
            return new Phrase(name, capital);
        }
        int dot = name.indexOf('.');
        return dot < 0
                ? new Slot(name, "", capital)
                : new Slot(name.substring(0, dot), name.substring(dot + 1), capital);
    }
}
