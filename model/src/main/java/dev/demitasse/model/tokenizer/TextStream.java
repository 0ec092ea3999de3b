package dev.demitasse.model.tokenizer;

import dev.demitasse.model.tokenizer.TokenizerJson.Silent;
import java.util.Arrays;

/**
 * Decodes tokens as they come. A character whose bytes are spread over several tokens appears when its last byte has
 * come, never in parts; all that was given out together is what decoding all tokens at once gives.
 *
 * <p>Only the tokens since the last whole character are decoded anew, together with some before them: a decoder may
 * treat the first token in its own way, and there special tokens count as none. Two kinds of bytes that are no characters are told apart from those that are not
 * complete yet. A byte-level decoder writes one replacement character for what may still become a character, and never
 * changes one that something follows. A byte-fallback decoder writes as many as it has byte tokens in a row, for the
 * whole row: when one that was given out is followed by bytes that are none, it no longer is decoded as that, and the
 * text is what it was when it was given out.
 */
public final class TextStream {
    private static final char REPLACEMENT = '�';
    /** Byte tokens that may wait for others: a character has four bytes at most. */
    private static final int INCOMPLETE = 3;

    /** Tokens without a whole character at their end that are decoded together. */
    private static final int LONGEST = 64;

    private final Tokenizer tokenizer;
    private final Silent silent;
    /** Tokens whose text is out, for context, then those since the last whole character. */
    private int[] window = new int[0];
    /** How many of {@link #window} are context. */
    private int context;
    /** How many characters of the window's text are out. */
    private int out;

    TextStream(Tokenizer tokenizer, Silent silent) {
        this.tokenizer = tokenizer;
        this.silent = silent;
    }

    /** Takes one more token; gives the text that it completes, perhaps none. */
    public String append(int id) {
        if (id >= 0 && silent.special().get(id)) {
            return "";
        }
        window = Arrays.copyOf(window, window.length + 1);
        window[window.length - 1] = id;
        String text = tokenizer.decode(window);
        int whole = text.length() - incomplete(text);
        String given = give(text, whole);
        if (whole == text.length()) {
            restart(context, window.length - context);
        } else if (window.length > LONGEST && silent.bytes().isEmpty()) {
            restart(window.length - INCOMPLETE, 0);
        }
        return given;
    }

    /** Forgets the tokens before {@code from}; what is left is out, but for what is incomplete. */
    private void restart(int from, int newContext) {
        window = Arrays.copyOfRange(window, from, window.length);
        context = newContext;
        String text = tokenizer.decode(window);
        out = text.length() - incomplete(text);
    }

    /** What is still held back: the bytes of a character that did not become whole. */
    public String finish() {
        String text = tokenizer.decode(window);
        return give(text, text.length());
    }

    private String give(String text, int until) {
        String given = until > out ? text.substring(out, until) : "";
        out = Math.max(out, until);
        return given;
    }

    /** How many characters at the end of {@code text} may still become others. */
    private int incomplete(String text) {
        int replacements = 0;
        while (replacements < text.length() && text.charAt(text.length() - 1 - replacements) == REPLACEMENT) {
            replacements++;
        }
        if (silent.bytes().isEmpty()) {
            return Math.min(1, replacements);
        }
        int bytes = 0;
        while (bytes < window.length && silent.bytes().get(window[window.length - 1 - bytes])) {
            bytes++;
        }
        boolean waiting = bytes > 0 && replacements >= bytes && window.length - context <= INCOMPLETE;
        return waiting ? replacements : 0;
    }
}
