package dev.demitasse.recipes.report;

/** Text that is to stand in Markdown as it is. */
final class Markdown {
    private Markdown() {}

    /** On one line, without a meaning to Markdown or HTML. */
    static String escape(String text) {
        StringBuilder escaped = new StringBuilder();
        text.codePoints().forEach(character -> {
            switch (character) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '\\', '`', '*', '_', '[', ']', '|', '#', '~', '!' ->
                    escaped.append('\\').appendCodePoint(character);
                case '\n', '\r', '\t' -> escaped.append(' ');
                default -> escaped.appendCodePoint(Character.isISOControl(character) ? 0xfffd : character);
            }
        });
        return escaped.toString();
    }

    /** A block that keeps {@code text} line by line, fenced by more backticks than it has in a row. */
    static String block(String text) {
        int longest = 0;
        int run = 0;
        for (char character : text.toCharArray()) {
            run = character == '`' ? run + 1 : 0;
            longest = Math.max(longest, run);
        }
        String fence = "`".repeat(Math.max(3, longest + 1));
        return fence + "text\n" + text + (text.endsWith("\n") ? "" : "\n") + fence + "\n\n";
    }
}
