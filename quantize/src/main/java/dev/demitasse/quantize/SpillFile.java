package dev.demitasse.quantize;

import dev.demitasse.model.InvalidRequestException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/**
 * Arrays of floats of one length in a file, in the machine's own byte order. It is read and written, not mapped: a mapped
 * file on a disk that fills ends the process.
 */
final class SpillFile implements AutoCloseable {
    private static final int CHUNK = 1 << 20;

    private final Path place;
    private final FileChannel channel;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer;
    private final ByteBuffer bytes;
    private final int length;

    private SpillFile(Path place, FileChannel channel, int length) {
        this.place = place;
        this.channel = channel;
        this.length = length;
        this.buffer = arena.allocate((long) length * Float.BYTES, Float.BYTES);
        this.bytes = buffer.asByteBuffer();
    }

    /**
     * A file for {@code count} arrays of {@code length} floats that goes when it is closed, or the process ends in whatever
     * way.
     *
     * @throws InvalidRequestException if the disk has not that much room
     */
    static SpillFile temporary(Path folder, int count, int length) throws IOException {
        Files.createDirectories(folder);
        requireRoom(folder, (long) count * length * Float.BYTES);
        Path file = Files.createTempFile(folder, ".states.", ".part");
        return new SpillFile(
                folder,
                FileChannel.open(
                        file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE),
                length);
    }

    /** A new file in {@code folder}, instead of one of its name, for {@code count} arrays of {@code length} floats. */
    static SpillFile create(Path folder, String name, int count, int length) throws IOException {
        Path path = folder.resolve(name);
        Files.deleteIfExists(path);
        requireRoom(folder, (long) count * length * Float.BYTES);
        return new SpillFile(
                path,
                FileChannel.open(
                        path, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE),
                length);
    }

    /** The file {@code path}, which {@link #create} made. */
    static SpillFile open(Path path, int length) throws IOException {
        return new SpillFile(path, FileChannel.open(path, StandardOpenOption.READ), length);
    }

    private static void requireRoom(Path folder, long needed) throws IOException {
        long free = Files.getFileStore(folder).getUsableSpace();
        if (free < needed) {
            throw full(
                    folder,
                    "calibration's hidden states take %,d MB, the disk has %,d MB left"
                            .formatted((needed >> 20) + 1, free >> 20));
        }
    }

    private static InvalidRequestException full(Path place, String problem) {
        return new InvalidRequestException(
                place, problem, "free some space there, or calibrate on fewer or shorter windows");
    }

    /** Writes array {@code index}. */
    void write(int index, float[] values) {
        MemorySegment.copy(values, 0, buffer, ValueLayout.JAVA_FLOAT, 0, length);
        bytes.clear();
        long at = (long) index * bytes.capacity();
        try {
            while (bytes.hasRemaining()) {
                at += channel.write(bytes, at);
            }
        } catch (IOException e) {
            throw full(
                    place, "hidden states could not be written after %,d MB (%s)".formatted(at >> 20, e.getMessage()));
        }
    }

    /** Array {@code index}, in a new one. */
    float[] read(int index) {
        bytes.clear();
        long at = (long) index * bytes.capacity();
        try {
            while (bytes.hasRemaining()) {
                int read = channel.read(bytes, at);
                if (read < 0) {
                    throw new IOException(place + " ends early");
                }
                at += read;
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        float[] values = new float[length];
        MemorySegment.copy(buffer, ValueLayout.JAVA_FLOAT, 0, values, 0, length);
        return values;
    }

    /** Whether there is a file {@code path} whose CRC-32C is {@code checksum}. */
    static boolean holds(Path path, long checksum) throws IOException {
        if (!Files.exists(path)) {
            return false;
        }
        CRC32C found = new CRC32C();
        byte[] chunk = new byte[CHUNK];
        try (InputStream file = Files.newInputStream(path)) {
            for (int read = file.read(chunk); read >= 0; read = file.read(chunk)) {
                found.update(chunk, 0, read);
            }
        }
        return found.getValue() == checksum;
    }

    /** Adds the array that was read or written last to {@code checksum}. */
    void addTo(CRC32C checksum) {
        checksum.update(bytes.clear());
    }

    @Override
    public void close() throws IOException {
        channel.close();
        arena.close();
    }
}
