package dev.demitasse.infer.evaluate;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.files.AtomicFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/** Writes a file for {@link KeptReference}, window by window in the order of the text. */
public final class ReferenceWriter implements AutoCloseable {
    /** Bytes of rows in memory at a time. */
    private static final long AT_ONCE = 1 << 24;

    private static final long GOLDEN_RATIO = 0x9e3779b97f4a7c15L;

    private final AtomicFile file;
    private final KeptShape shape;
    private final CRC32C checksum = new CRC32C();
    private int windows;

    private ReferenceWriter(AtomicFile file, KeptShape shape) {
        this.file = file;
        this.shape = shape;
    }

    /**
     * @param place stays as it is until {@link #commit}
     * @param name what the file is to say whose predictions it keeps: a path, a hash
     */
    public static ReferenceWriter create(
            Path place, ModelConfig config, String name, TokenWindows test, Protocol protocol, Keeping keeping)
            throws IOException {
        int vocabulary = config.vocabularySize();
        boolean whole = keeping.whole() || keeping.top() >= vocabulary || keeping.samples() > vocabulary;
        KeptShape shape = new KeptShape(
                vocabulary,
                test.count(),
                test.length(),
                protocol.firstScored(test.length()),
                whole ? Keeping.WHOLE : keeping);
        ReferenceWriter writer = new ReferenceWriter(AtomicFile.create(place), shape);
        try {
            writer.write(new KeptHeader(name, protocol.fingerprint(test, config), shape).write());
            return writer;
        } catch (Throwable e) {
            writer.close();
            throw e;
        }
    }

    /**
     * Keeps what is expected after the tokens of the next window.
     *
     * @param window as the protocol prepared it
     * @param logits {@code [window, vocabulary]}
     */
    void add(int[] window, float[] logits) throws IOException {
        int vocabulary = shape.vocabulary();
        int atOnce = Math.toIntExact(Math.clamp(AT_ONCE / shape.rowBytes(), 1, shape.scored()));
        int rowBytes = Math.toIntExact(shape.rowBytes());
        for (int start = 0; start < shape.scored(); start += atOnce) {
            int first = start;
            int count = Math.min(atOnce, shape.scored() - first);
            ByteBuffer buffer = ByteBuffer.allocate(count * rowBytes).order(ByteOrder.LITTLE_ENDIAN);
            Workers.COMMON.run(count, i -> {
                int position = shape.firstScored() - 1 + first + i;
                ByteBuffer row = buffer.slice(i * rowBytes, rowBytes).order(ByteOrder.LITTLE_ENDIAN);
                if (shape.keeping().whole()) {
                    row.asFloatBuffer().put(logits, position * vocabulary, vocabulary);
                } else {
                    long seed = GOLDEN_RATIO * ((long) windows * window.length + position + 1);
                    KeptSampling.row(
                                    logits,
                                    position * vocabulary,
                                    vocabulary,
                                    window[position + 1],
                                    shape.keeping(),
                                    seed)
                            .write(row);
                }
            });
            write(buffer);
        }
        windows++;
    }

    private void write(ByteBuffer buffer) throws IOException {
        checksum.update(buffer.duplicate());
        while (buffer.hasRemaining()) {
            file.channel().write(buffer);
        }
    }

    /** Puts the file in its place. */
    public void commit() throws IOException {
        if (windows != shape.windows()) {
            throw new IllegalStateException("%d of %d windows".formatted(windows, shape.windows()));
        }
        ByteBuffer trailer = ByteBuffer.allocate(KeptHeader.TRAILER).order(ByteOrder.LITTLE_ENDIAN);
        trailer.putLong(0, checksum.getValue());
        write(trailer);
        file.commit();
    }

    /** Drops the file unless it was committed. */
    @Override
    public void close() throws IOException {
        file.close();
    }
}
