package dev.demitasse.infer.evaluate;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.Scorer;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.progress.Progress;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;

/**
 * A reference's predictions of a text, kept in a file so that the reference runs once however many models are compared with
 * it. All logits of a vocabulary V of 128,000 would be 512 kB a token, 11 GB for a text of 20,000; so where they are many,
 * a row keeps the top K tokens, the share p_T = Σ_{i ∉ K} p_i of all others together, and n of the others drawn by their
 * probability ({@link Keeping}).
 *
 * <p>With q the judged model, whose logits are all at hand, the divergence falls in two:
 *
 * <pre>
 * KL = Σ_{i ∈ K} p_i ln (p_i / q_i) + p_T ln (p_T / q_T)  +  p_T · Σ_{i ∉ K} (p_i / p_T) (−ln r_i),   r_i = (q_i / q_T) / (p_i / p_T)
 * </pre>
 *
 * <p>The first part is known and, by the log-sum inequality, what KL is at least ({@link TailError#lowestKl}). The second is
 * p_T times the divergence inside the tail: the mean of r − 1 − ln r over the draws estimates it without bias, as the mean of
 * r − 1 is 0 under p; no term is negative, and for models near each other it scatters far less than −ln r would. Each draw
 * is from another n-th of the tail's probability, which only lessens its variance below s² / n (s² the draws' own): that much,
 * added up over all tokens, is told as the estimate's standard error ({@link TailError#standardError}). Perplexity, the right
 * token's probability and top-1 agreement are exact, and so is everything where V is kept whole.
 *
 * <p>Layout, little-endian: {@link KeptHeader}, rows, CRC-32C of all before. A row is V floats, or
 *
 * <pre>
 * double ln Σ e^logit
 * double ln p_T
 * float  the right token's logit
 * int    0
 * int    ids of the top tokens, most likely first [K], ids drawn [n]
 * float  their logits [K + n]
 * </pre>
 */
public final class KeptReference extends Reference implements AutoCloseable {
    private static final String REMEDY = "delete it and keep the reference's predictions anew";

    private final Path path;
    private final Arena arena;
    private final KeptHeader header;
    private final MemorySegment rows;

    private KeptReference(Path path, Arena arena, KeptHeader header, MemorySegment rows) {
        this.path = path;
        this.arena = arena;
        this.header = header;
        this.rows = rows;
    }

    /**
     * Opens a file and reads it through once, to see that it is whole.
     *
     * @throws InvalidRequestException if there is no such file
     * @throws MalformedModelException if it is another kind of file, or damaged
     */
    public static KeptReference open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new InvalidRequestException(path, "there is no such file", "check the name");
        }
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment whole = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            KeptHeader header = KeptHeader.read(path, whole);
            MemorySegment rows = whole.asSlice(header.bytes(), header.shape().bytes());
            return new KeptReference(path, arena, header, rows);
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    /**
     * Runs {@code model} over {@code test} and keeps in {@code file} what it expects.
     *
     * @param name what the file is to say it is of: a path, a hash
     * @return how well it did itself
     */
    public static Quality record(
            Scorer model,
            String name,
            TokenWindows test,
            Protocol protocol,
            Keeping keeping,
            Path file,
            Progress progress)
            throws IOException {
        try (ReferenceWriter writer = ReferenceWriter.create(file, model.config(), name, test, protocol, keeping)) {
            Quality quality = Evaluation.run(model, List.of(), Optional.of(writer), test, protocol, progress);
            writer.commit();
            return quality;
        }
    }

    /** What the file says whose predictions it keeps. */
    public String model() {
        return header.model();
    }

    /** What of them it keeps. */
    public Keeping keeping() {
        return header.shape().keeping();
    }

    /** Whether it keeps what {@code model}, so named, expects of {@code test}. */
    public boolean isOf(String model, ModelConfig config, TokenWindows test, Protocol protocol) {
        return header.model().equals(model) && header.data().equals(protocol.fingerprint(test, config));
    }

    @Override
    int vocabularySize() {
        return header.shape().vocabulary();
    }

    @Override
    void check(ModelConfig judged, TokenWindows test, Protocol protocol) {
        String expected = protocol.fingerprint(test, judged);
        if (!header.data().equals(expected)) {
            throw new InvalidRequestException(
                    path,
                    "keeps predictions of another text, or of other tokens of it: %,d windows of %,d tokens (%s), not %,d of %,d (%s)"
                            .formatted(
                                    header.shape().windows(),
                                    header.shape().length(),
                                    header.data(),
                                    test.count(),
                                    test.length(),
                                    expected),
                    "evaluate on the same text, cut alike, by the same protocol; or keep the reference's predictions anew");
        }
    }

    @Override
    Expectations expect(int index, int[] window) {
        KeptShape shape = header.shape();
        long first = (long) index * shape.scored();
        return (position, right, logits, at, total) -> {
            long row = first + position + 1 - shape.firstScored();
            MemorySegment bytes = rows.asSlice(row * shape.rowBytes(), shape.rowBytes());
            return shape.keeping().whole()
                    ? KeptRow.compareWhole(bytes, right, logits, at, total, shape.vocabulary())
                    : compareTop(bytes, logits, at, total);
        };
    }

    private Comparison compareTop(MemorySegment bytes, float[] logits, int at, double total) {
        KeptRow row = KeptRow.read(bytes, header.shape().keeping());
        if (!row.within(vocabularySize())) {
            throw new MalformedModelException(path, "names tokens past its vocabulary", REMEDY);
        }
        return row.compare(logits, at, total, vocabularySize());
    }

    @Override
    public void close() {
        arena.close();
    }
}
