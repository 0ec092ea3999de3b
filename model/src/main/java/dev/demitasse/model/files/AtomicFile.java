package dev.demitasse.model.files;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/**
 * A file that is written under a temporary name beside its place and moved there when it is whole, so that neither a
 * crash nor a full disk leaves half of it, and a reader that has the old one mapped keeps it.
 */
public final class AtomicFile implements AutoCloseable {
    private final Path target;
    private final Path temporary;
    private final FileChannel channel;
    private final boolean outlives;

    private AtomicFile(Path target, Path temporary, FileChannel channel, boolean outlives) {
        this.target = target;
        this.temporary = temporary;
        this.channel = channel;
        this.outlives = outlives;
    }

    /** Folders above {@code target} are made. */
    public static AtomicFile create(Path target) throws IOException {
        Path place = target.toAbsolutePath();
        Path folder = place.getParent();
        Files.createDirectories(folder);
        // Not createTempFile, whose files only their owner may read, the finished one too.
        Path temporary = place.resolveSibling("." + place.getFileName() + "." + UUID.randomUUID() + ".part");
        FileChannel channel = FileChannel.open(
                temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
        return new AtomicFile(place, temporary, channel, false);
    }

    /**
     * A file that a later process may go on with: what was written stays in {@code partial}, beside which
     * {@code target} must be on the same disk, until it is committed. It begins with what is there already.
     */
    public static AtomicFile resume(Path target, Path partial) throws IOException {
        Path place = target.toAbsolutePath();
        Files.createDirectories(place.getParent());
        Files.createDirectories(partial.toAbsolutePath().getParent());
        FileChannel channel =
                FileChannel.open(partial, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        return new AtomicFile(place, partial, channel, true);
    }

    /** Writes a whole file at once. */
    public static void write(Path target, byte[] content) throws IOException {
        try (AtomicFile file = create(target)) {
            ByteBuffer buffer = ByteBuffer.wrap(content);
            while (buffer.hasRemaining()) {
                file.channel.write(buffer);
            }
            file.commit();
        }
    }

    /** Writes a whole UTF-8 text at once. */
    public static void write(Path target, String content) throws IOException {
        write(target, content.getBytes(StandardCharsets.UTF_8));
    }

    /** Where to write to; positions start at 0. */
    public FileChannel channel() {
        return channel;
    }

    /** Puts the file in its place. */
    public void commit() throws IOException {
        channel.force(true);
        channel.close();
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Drops the file unless it was committed or may be gone on with. */
    @Override
    public void close() throws IOException {
        channel.close();
        if (!outlives) {
            Files.deleteIfExists(temporary);
        }
    }
}
