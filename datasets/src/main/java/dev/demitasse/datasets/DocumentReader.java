package dev.demitasse.datasets;

import java.util.Iterator;
import org.jspecify.annotations.Nullable;

/** Puts pieces together to documents again, none longer than {@link #LONGEST} and a piece. */
final class DocumentReader implements Iterator<String> {
    /** Where a document is cut into several, in characters. */
    static final int LONGEST = 1 << 24;

    private final Iterator<TextPiece> pieces;
    private @Nullable TextPiece first;

    DocumentReader(Iterator<TextPiece> pieces) {
        this.pieces = pieces;
    }

    @Override
    public boolean hasNext() {
        return first != null || pieces.hasNext();
    }

    @Override
    public String next() {
        StringBuilder document = new StringBuilder(first == null ? pieces.next().text() : first.text());
        first = null;
        while (pieces.hasNext() && document.length() < LONGEST) {
            TextPiece piece = pieces.next();
            if (piece.startsDocument()) {
                first = piece;
                break;
            }
            document.append(piece.text());
        }
        return document.toString();
    }
}
