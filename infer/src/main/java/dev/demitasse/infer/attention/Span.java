package dev.demitasse.infer.attention;

/**
 * Which positions each of some tokens, which follow each other, may see.
 *
 * @param start position of the first token
 * @param tokens how many they are
 * @param window most positions seen, that end with the token's own
 * @param all how many positions each sees, whichever its own, where there is no causality; 0 where there is
 * @param attended which positions may be seen at all; empty if all
 */
record Span(int start, int tokens, int window, int all, boolean[] attended) {
    /** Where token {@code token} stands. */
    int position(int token) {
        return start + token;
    }

    /** The first position that {@code token} sees. */
    int first(int token) {
        return Math.max(0, end(token) - window);
    }

    /** After the last position that {@code token} sees. */
    int end(int token) {
        return all > 0 ? all : start + token + 1;
    }

    /** The first position that any sees. */
    int first() {
        return first(0);
    }

    /** After the last position that any sees. */
    int end() {
        return end(tokens - 1);
    }

    /** The tokens from {@code token} on, {@code count} of them. */
    Span part(int token, int count) {
        return new Span(start + token, count, window, all, attended);
    }
}
