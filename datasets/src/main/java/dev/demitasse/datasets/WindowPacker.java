package dev.demitasse.datasets;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Gatherers;
import java.util.stream.Stream;

/**
 * Turns text into token windows: every document is tokenized, preceded by the token that the tokenizer puts first if it
 * does, and the
 * tokens of all documents, one after another, are cut into windows. What is left at the end is dropped.
 */
public final class WindowPacker {
    private final Tokenizer tokenizer;
    private final int[] beforeDocument;
    private final int length;
    private final int atMost;
    private final List<int[]> windows = new ArrayList<>();
    private int[] window;
    private int filled;
    private long tokens;

    private WindowPacker(Tokenizer tokenizer, int length, int atMost) {
        this.tokenizer = tokenizer;
        this.beforeDocument = tokenizer.beginToken().stream().toArray();
        this.length = length;
        this.atMost = atMost;
        this.window = new int[length];
    }

    /** All windows of {@code length} tokens that the text of {@code source} fills. */
    public static TokenWindows pack(TextSource source, Tokenizer tokenizer, int length, Progress progress) {
        return pack(source, tokenizer, length, Integer.MAX_VALUE, progress);
    }

    /** The first {@code atMost} windows of {@code length} tokens; of a large source no more is read than they need. */
    public static TokenWindows pack(TextSource source, Tokenizer tokenizer, int length, int atMost, Progress progress) {
        if (length < 2 || atMost < 1) {
            throw new InvalidRequestException(
                    source.description(),
                    "%,d windows of %,d tokens were asked for".formatted(atMost, length),
                    "ask for one or more, of 2 tokens or more");
        }
        return new WindowPacker(tokenizer, length, atMost).read(source, progress);
    }

    private TokenWindows read(TextSource source, Progress progress) {
        long steps = steps(source);
        progress.begin("reading text", steps, unit(source));
        long done = 0;
        try (Stream<TextPiece> pieces = TextPieces.of(source)) {
            int concurrency = Runtime.getRuntime().availableProcessors();
            Iterator<Encoded> encoded = pieces.gather(Gatherers.mapConcurrent(concurrency, this::encode))
                    .iterator();
            while (windows.size() < atMost && encoded.hasNext()) {
                Encoded next = encoded.next();
                append(next);
                long advance = Math.min(steps - done, advance(source, next.piece()));
                progress.advance(advance);
                done += advance;
            }
        }
        progress.advance(steps - done);
        progress.end();
        if (windows.isEmpty()) {
            throw new InvalidRequestException(
                    source.description(),
                    tokens == 0
                            ? "there is no text in it"
                            : "a window needs %,d tokens, the whole text has %,d".formatted(length, tokens),
                    tokens == 0 ? "name a source that has some" : "ask for shorter windows, or name a longer text");
        }
        return new TokenWindows(source.description(), windows, TokenBytes.of(tokenizer));
    }

    private record Encoded(TextPiece piece, int[] ids) {}

    /**
     * A piece that continues a document is tokenized with the character before it, whose tokens are then taken away:
     * so SentencePiece does not put the space there that it puts before a text.
     */
    private Encoded encode(TextPiece piece) {
        if (piece.startsDocument()) {
            return new Encoded(piece, tokenizer.encode(piece.text()));
        }
        int[] before = tokenizer.encode(piece.before());
        int[] both = tokenizer.encode(piece.before() + piece.text());
        boolean apart = both.length >= before.length && Arrays.equals(both, 0, before.length, before, 0, before.length);
        return new Encoded(
                piece, apart ? Arrays.copyOfRange(both, before.length, both.length) : tokenizer.encode(piece.text()));
    }

    private void append(Encoded encoded) {
        if (encoded.piece().startsDocument()) {
            append(beforeDocument);
        }
        append(encoded.ids());
        tokens += encoded.ids().length;
    }

    private void append(int[] ids) {
        for (int from = 0; from < ids.length && windows.size() < atMost; ) {
            int count = Math.min(ids.length - from, length - filled);
            System.arraycopy(ids, from, window, filled, count);
            from += count;
            filled += count;
            if (filled == length) {
                windows.add(window);
                window = new int[length];
                filled = 0;
            }
        }
    }

    private static long steps(TextSource source) {
        return switch (source) {
            case TextSource.TextFile file -> size(file.path());
            case TextSource.Jsonl jsonl -> size(jsonl.path());
            case TextSource.Conversations conversations -> size(conversations.path());
            case TextSource.Stories stories -> stories.count();
            case TextSource.Portion portion -> steps(portion.source());
        };
    }

    private static String unit(TextSource source) {
        return switch (source) {
            case TextSource.TextFile file -> "bytes";
            case TextSource.Jsonl jsonl -> "bytes";
            case TextSource.Conversations conversations -> "bytes";
            case TextSource.Stories stories -> "stories";
            case TextSource.Portion portion -> unit(portion.source());
        };
    }

    private static long advance(TextSource source, TextPiece piece) {
        return unit(source).equals("stories")
                ? (piece.startsDocument() ? 1 : 0)
                : piece.text().getBytes(StandardCharsets.UTF_8).length;
    }

    private static long size(Path path) {
        try {
            return Files.exists(path) ? Files.size(path) : 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
