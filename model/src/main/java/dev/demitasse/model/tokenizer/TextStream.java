package dev.demitasse.model.tokenizer;

import java.util.Arrays;

/**
 * Decodes tokens as they come. A character whose bytes are spread over several tokens appears when its last byte has
 * come, never in parts; all that was given out together is what decoding all tokens at once gives.
 */
public final class TextStream {
    private static final char REPLACEMENT = '�';
    /** Tokens held back at most: a character has up to four bytes, each a token at worst. */
    private static final int PATIENCE = 8;

    private final Tokenizer tokenizer;
    /** Tokens whose text is out, for context, then those held back. */
    private int[] window = new int[0];
    /** How many of {@link #window} are out. */
    private int done;

    TextStream(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /** Takes one more token; gives the text that it completes, perhaps none. */
    public String append(int id) {
        window = Arrays.copyOf(window, window.length + 1);
        window[window.length - 1] = id;
        String text = tokenizer.decode(window);
        boolean whole = text.isEmpty() || text.charAt(text.length() - 1) != REPLACEMENT;
        return whole || window.length - done > PATIENCE ? give(text) : "";
    }

    /** What is still held back: the bytes of a character that did not become whole. */
    public String finish() {
        return done == window.length ? "" : give(tokenizer.decode(window));
    }

    private String give(String text) {
        String before = tokenizer.decode(Arrays.copyOf(window, done));
        window = Arrays.copyOfRange(window, done, window.length);
        done = window.length;
        return text.length() > before.length() ? text.substring(before.length()) : "";
    }
}
