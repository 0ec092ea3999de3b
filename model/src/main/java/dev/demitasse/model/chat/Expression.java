package dev.demitasse.model.chat;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The inside of a tag, respelled where jinjava reads it otherwise than Jinja. */
final class Expression {
    private static final int DEEPEST = 50;
    private static final Pattern REVERSED = Pattern.compile("\\G\\[\\s*:\\s*:\\s*-\\s*1\\s*]");
    private static final Pattern CONDITION = Pattern.compile("\\sif\\s");
    private static final Pattern OTHERWISE = Pattern.compile("\\selse\\s");

    private Expression() {}

    /** Where {@code close} stands outside of quotes, from {@code start} on; -1 where it does not. */
    static int end(String text, int start, String close) {
        for (int i = start; i < text.length(); i++) {
            char character = text.charAt(i);
            if (character == '\'' || character == '"') {
                i = quoteEnd(text, i);
            } else if (text.startsWith(close, i)) {
                return i;
            }
        }
        return -1;
    }

    private static int quoteEnd(String text, int start) {
        for (int i = start + 1; i < text.length(); i++) {
            if (text.charAt(i) == '\\') {
                i++;
            } else if (text.charAt(i) == text.charAt(start)) {
                return i;
            }
        }
        return text.length();
    }

    /** Whether a 'for' has a condition of its own. */
    static boolean hasCondition(String loop) {
        StringBuilder plain = new StringBuilder();
        for (int i = 0; i < loop.length(); i++) {
            if (loop.charAt(i) == '\'' || loop.charAt(i) == '"') {
                i = quoteEnd(loop, i);
            } else {
                plain.append(loop.charAt(i));
            }
        }
        return CONDITION.matcher(plain).find() && !OTHERWISE.matcher(plain).find();
    }

    /**
     * {@code [::-1]} becomes {@code |reverse}; the value of a named argument gets parentheses, for jinjava takes no more
     * than its first operand.
     */
    static String respell(String text) {
        StringBuilder written = new StringBuilder();
        boolean[] named = new boolean[DEEPEST + 1];
        int depth = 0;
        for (int i = 0; i < text.length(); i++) {
            char character = text.charAt(i);
            switch (character) {
                case '\'', '"' -> {
                    int end = Math.min(text.length() - 1, quoteEnd(text, i));
                    written.append(text, i, end + 1);
                    i = end;
                }
                case '(', '[', '{' -> {
                    Matcher reversed = REVERSED.matcher(text);
                    if (reversed.find(i)) {
                        written.append("|reverse");
                        i = reversed.end() - 1;
                        continue;
                    }
                    if (++depth > DEEPEST) {
                        throw new IllegalArgumentException("an expression is nested more than " + DEEPEST + " deep");
                    }
                    named[depth] = false;
                    written.append(character);
                }
                case ')', ']', '}', ',' -> {
                    written.append(named[depth] ? ")" : "").append(character);
                    named[depth] = false;
                    depth -= character == ',' || depth == 0 ? 0 : 1;
                }
                case '=' -> {
                    boolean single = i + 1 < text.length()
                            && text.charAt(i + 1) != '='
                            && i > 0
                            && "=!<>".indexOf(text.charAt(i - 1)) < 0;
                    written.append('=').append(single && depth > 0 ? "(" : "");
                    named[depth] |= single && depth > 0;
                }
                default -> written.append(character);
            }
        }
        return written.toString();
    }
}
