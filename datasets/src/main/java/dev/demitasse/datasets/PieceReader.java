package dev.demitasse.datasets;

import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Cuts text into documents at a separator, and documents into pieces at line ends, holding no more than a piece in
 * memory.
 *
 * <p>A long document is cut where no tokenizer joins what stands on both sides: after a line end between two lines with
 * text on them; failing that after a blank line, before a word, and only in text without any white space anywhere.
 * With a separator the white space around each document goes with the separator, and empty documents are left out;
 * without one the text is one document, as it is.
 */
final class PieceReader implements Iterator<TextPiece> {
    /** The longest piece, in characters (UTF-16 units). */
    static final int PIECE = 1 << 15;

    private final Reader reader;
    private final String separator;
    private final StringBuilder pending = new StringBuilder();
    private final char[] buffer = new char[1 << 13];
    private boolean exhausted;
    private String before = "";
    private @Nullable TextPiece next;

    PieceReader(Reader reader, Optional<String> separator) {
        this.reader = reader;
        this.separator = separator.orElse("");
    }

    @Override
    public boolean hasNext() {
        while (next == null && !(exhausted && pending.isEmpty())) {
            next = read();
        }
        return next != null;
    }

    @Override
    public TextPiece next() {
        if (!hasNext() || next == null) {
            throw new NoSuchElementException();
        }
        TextPiece piece = next;
        next = null;
        return piece;
    }

    /** The next piece, or null where white space or an empty document was passed over. */
    private @Nullable TextPiece read() {
        fill(PIECE + separator.length());
        if (!separator.isEmpty() && before.isEmpty()) {
            pending.delete(0, spaceAtStart());
            fill(PIECE + separator.length());
        }
        int end = separator.isEmpty() ? -1 : pending.indexOf(separator);
        if (end >= 0 && end <= PIECE) {
            String text = pending.substring(0, end).stripTrailing();
            pending.delete(0, end + separator.length());
            TextPiece last = text.isEmpty() ? null : new TextPiece(before, text);
            before = "";
            return last;
        }
        if (pending.length() <= PIECE && exhausted) {
            String text = pending.toString();
            pending.setLength(0);
            String kept = separator.isEmpty() ? text : text.stripTrailing();
            return kept.isEmpty() ? null : new TextPiece(before, kept);
        }
        int cut = cut();
        String text = pending.substring(0, cut);
        pending.delete(0, cut);
        TextPiece piece = new TextPiece(before, text);
        before = Character.toString(text.codePointBefore(text.length()));
        return piece;
    }

    private void fill(int length) {
        try {
            while (!exhausted && pending.length() < length) {
                int count = reader.read(buffer);
                if (count < 0) {
                    exhausted = true;
                } else {
                    pending.append(buffer, 0, count);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Where to end a piece: the last good place in the second half of what may go, the better kind first. */
    private int cut() {
        int limit = Math.min(PIECE, pending.length() - 1);
        int afterBlankLine = -1;
        int beforeWord = -1;
        for (int at = limit; at > limit / 2; at--) {
            if (isSpace(at)) {
                if (beforeWord < 0 && pending.charAt(at) == ' ' && !isSpace(at - 1) && !isSpace(at + 1)) {
                    beforeWord = at;
                }
            } else if (pending.charAt(at - 1) == '\n') {
                if (!isSpace(at - 2)) {
                    return at;
                }
                afterBlankLine = afterBlankLine < 0 ? at : afterBlankLine;
            }
        }
        if (afterBlankLine > 0) {
            return afterBlankLine;
        }
        if (beforeWord > 0) {
            return beforeWord;
        }
        return Character.isLowSurrogate(pending.charAt(limit)) ? limit - 1 : limit;
    }

    private boolean isSpace(int at) {
        return at < pending.length() && Character.isWhitespace(pending.charAt(at));
    }

    private int spaceAtStart() {
        int length = 0;
        while (length < pending.length() && isSpace(length) && !startsSeparator(length)) {
            length++;
        }
        return length;
    }

    /** A separator may itself be white space: a blank line. */
    private boolean startsSeparator(int at) {
        return pending.indexOf(separator, at) == at;
    }
}
