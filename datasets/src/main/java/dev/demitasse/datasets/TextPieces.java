package dev.demitasse.datasets;

import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.Optional;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** The text of a source in pieces, so that a document of any length passes through. */
final class TextPieces {
    private TextPieces() {}

    /** To be closed after use. */
    static Stream<TextPiece> of(TextSource source) {
        return switch (source) {
            case TextSource.TextFile file -> {
                Reader reader = Utf8Reader.open(file.path());
                yield stream(new PieceReader(reader, file.separator()), reader);
            }
            case TextSource.Jsonl jsonl -> cut(jsonl.documents());
            case TextSource.Conversations conversations -> cut(conversations.documents());
            case TextSource.Stories stories -> cut(stories.documents());
            case TextSource.Portion portion -> cut(portion.documents());
        };
    }

    private static Stream<TextPiece> cut(Stream<String> documents) {
        return documents.flatMap(document -> asStream(new PieceReader(new StringReader(document), Optional.empty())));
    }

    /** What {@code iterator} yields; closing the stream closes {@code reader}. */
    static <T> Stream<T> stream(Iterator<T> iterator, Reader reader) {
        return asStream(iterator).onClose(() -> {
            try {
                reader.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static <T> Stream<T> asStream(Iterator<T> iterator) {
        return StreamSupport.stream(
                Spliterators.spliteratorUnknownSize(iterator, Spliterator.ORDERED | Spliterator.NONNULL), false);
    }
}
