package dev.demitasse.datasets;

/**
 * A part of a document, short enough to be tokenized at once. The pieces of a document, put together, are the document.
 *
 * @param before the character (a code point) that stands before the piece in its document; empty at a document's start
 * @param text at most {@link PieceReader#PIECE} characters
 */
record TextPiece(String before, String text) {
    boolean startsDocument() {
        return before.isEmpty();
    }
}
