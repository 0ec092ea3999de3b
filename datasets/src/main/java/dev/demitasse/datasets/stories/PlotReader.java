package dev.demitasse.datasets.stories;

import java.util.ArrayList;
import java.util.List;

/**
 * Reads plots: {@code plot NAME}, {@code pick THING…} or {@code pick THING @MARK}, {@code variants NAME…}, then beats:
 * {@code beat}, {@code beat VARIANT}, {@code beat?} for one that may be left out, each followed by indented lines that tell
 * it, and {@code para} where a paragraph ends.
 */
final class PlotReader {
    /** What stands between paragraphs. */
    static final String PARAGRAPH = "\n";

    private final String file;
    private final List<Plot> plots = new ArrayList<>();
    private String name = "";
    private List<Plot.Pick> picks = new ArrayList<>();
    private List<String> variants = List.of();
    private List<Plot.Beat> beats = new ArrayList<>();

    PlotReader(String file) {
        this.file = file;
    }

    List<Plot> read(List<String> lines) {
        for (int at = 0; at < lines.size(); ) {
            int end = at + 1;
            while (end < lines.size() && lines.get(end).startsWith(" ")) {
                end++;
            }
            read(lines.get(at).split(" "), lines.subList(at + 1, end));
            at = end;
        }
        finish();
        return plots;
    }

    private void read(String[] words, List<String> tellings) {
        switch (words[0]) {
            case "plot" -> {
                finish();
                name = words[1];
            }
            case "pick" -> pick(words);
            case "variants" -> variants = List.of(words).subList(1, words.length);
            case "beat", "beat?" -> {
                String variant = words.length > 1 ? words[1] : "";
                if (!variant.isEmpty() && !variants.contains(variant)) {
                    throw new IllegalStateException(file + ": " + name + " has no variant " + variant);
                }
                List<Template> templates = tellings.stream()
                        .map(telling -> Template.parse(telling.strip()))
                        .toList();
                beats.add(new Plot.Beat(variant, words[0].endsWith("?"), templates));
            }
            case "para" -> beats.add(new Plot.Beat("", false, List.of(new Template.Text(PARAGRAPH))));
            default -> throw new IllegalStateException(file + ": " + String.join(" ", words));
        }
    }

    private void pick(String[] words) {
        for (int at = 1; at < words.length; at++) {
            boolean marked = at + 1 < words.length && words[at + 1].startsWith("@");
            picks.add(new Plot.Pick(words[at], marked ? words[at + 1].substring(1) : ""));
            at += marked ? 1 : 0;
        }
    }

    private void finish() {
        if (!name.isEmpty()) {
            plots.add(new Plot(name, picks, variants, beats));
        }
        picks = new ArrayList<>();
        variants = List.of();
        beats = new ArrayList<>();
    }
}
