package dev.demitasse.recipes.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/**
 * A piece of markup. Strings enter it only through {@link #text} and attribute values, which escape them, so nothing a
 * model wrote can become markup. What it renders is well-formed XML too.
 */
final class Html {
    static final Html NOTHING = new Html("");

    /** Elements that have neither content nor an end tag in HTML. */
    private static final Set<String> VOID = Set.of("meta", "br");

    private final String markup;

    private Html(String markup) {
        this.markup = markup;
    }

    /** {@code text} as it is to be read. */
    static Html text(String text) {
        return new Html(escape(text));
    }

    /** All of {@code pieces}, one after another. */
    static Html of(Collection<Html> pieces) {
        StringBuilder all = new StringBuilder();
        pieces.forEach(piece -> all.append(piece.markup));
        return new Html(all.toString());
    }

    static Html of(Html... pieces) {
        return of(List.of(pieces));
    }

    /** An element whose attributes and children are added to it. */
    static Element element(String name) {
        return new Element(name);
    }

    /** An element of a class. */
    static Element element(String name, String cssClass) {
        return new Element(name).with("class", cssClass);
    }

    /** A style sheet, which is not escaped. */
    static Html style(String css) {
        if (css.contains("<") || css.contains("&")) {
            throw new IllegalArgumentException("a style sheet with markup");
        }
        return new Html("<style>\n" + css + "</style>\n");
    }

    static String escape(String text) {
        StringBuilder escaped = new StringBuilder(text.length() + 16);
        text.codePoints().forEach(character -> {
            switch (character) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '"' -> escaped.append("&quot;");
                case '\'' -> escaped.append("&#39;");
                default -> escaped.appendCodePoint(printable(character) ? character : 0xfffd);
            }
        });
        return escaped.toString();
    }

    /** Whether HTML and XML may hold it: no control characters but white space, no half of a surrogate pair. */
    private static boolean printable(int character) {
        boolean control = Character.isISOControl(character) && character != '\n' && character != '\t';
        boolean surrogate = character >= 0xd800 && character <= 0xdfff;
        return !control && !surrogate && (character & 0xfffe) != 0xfffe;
    }

    @Override
    public String toString() {
        return markup;
    }

    /** An element in the making. */
    static final class Element {
        private final String name;
        private final StringBuilder attributes = new StringBuilder();
        private final List<Html> children = new ArrayList<>();

        private Element(String name) {
            this.name = name;
        }

        Element with(String attribute, String value) {
            attributes
                    .append(' ')
                    .append(attribute)
                    .append("=\"")
                    .append(escape(value))
                    .append('"');
            return this;
        }

        Element with(String attribute, double value) {
            return with(attribute, coordinate(value));
        }

        /** The finished element around {@code content}. */
        Html around(Html... content) {
            children.addAll(Arrays.asList(content));
            return finish();
        }

        Html around(Collection<Html> content) {
            children.addAll(content);
            return finish();
        }

        /** The finished element around what reads as {@code text}. */
        Html around(String text) {
            return around(text(text));
        }

        /** The finished element, empty. */
        Html empty() {
            return finish();
        }

        private Html finish() {
            if (VOID.contains(name)) {
                return new Html("<" + name + attributes + " />\n");
            }
            String inside = Html.of(children).markup;
            return new Html("<" + name + attributes + ">" + inside + "</" + name + ">");
        }
    }

    /** A coordinate in a drawing, to a tenth. */
    static String coordinate(double value) {
        double rounded = Math.round(value * 10) / 10.0;
        return rounded == Math.rint(rounded) ? Long.toString((long) rounded) : Double.toString(rounded);
    }
}
