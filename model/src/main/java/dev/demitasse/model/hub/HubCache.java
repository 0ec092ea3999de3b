package dev.demitasse.model.hub;

import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.safetensors.HuggingFaceCheckpoint;
import dev.demitasse.model.safetensors.ShardIndex;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.SortedSet;

/**
 * One repository's part of the cache, laid out as huggingface_hub does (its guide "Understand caching"), so that either
 * uses what the other fetched:
 *
 * <pre>
 * models--ORG--NAME/refs/REVISION             holds the commit
 * models--ORG--NAME/snapshots/COMMIT/FILE     a link to ../../blobs/ETAG
 * models--ORG--NAME/blobs/ETAG                the content; ETAG.incomplete while it is fetched
 * .locks/models--ORG--NAME/ETAG.lock          locked while it is fetched
 * </pre>
 */
final class HubCache {
    private static final int LOCK_POLL_MILLIS = 100;

    private final HubReference reference;
    private final Path folder;
    private final Path locks;

    HubCache(Path cache, HubReference reference) {
        String name = "models--" + reference.repository().replace("/", "--");
        this.reference = reference;
        this.folder = cache.resolve(name);
        this.locks = cache.resolve(".locks").resolve(name);
    }

    Path folder() {
        return folder;
    }

    /** The commit that the revision was when it was fetched last. */
    Optional<String> commit() throws IOException {
        if (reference.isCommit()) {
            return Optional.of(reference.revision());
        }
        Path ref = folder.resolve("refs").resolve(reference.revision());
        if (!Files.isRegularFile(ref) || Files.size(ref) > 100) {
            return Optional.empty();
        }
        return Optional.of(Files.readString(ref).strip()).filter(HubReference::isCommit);
    }

    /** Notes which commit the revision is. */
    void remember(String commit) throws IOException {
        if (!reference.isCommit() && !commit().equals(Optional.of(commit))) {
            AtomicFile.write(folder.resolve("refs").resolve(reference.revision()), commit);
        }
    }

    Path snapshot(String commit) {
        return folder.resolve("snapshots").resolve(commit);
    }

    Path blob(HubFile file) {
        return folder.resolve("blobs").resolve(file.etag());
    }

    Path incomplete(HubFile file) {
        return folder.resolve("blobs").resolve(file.etag() + ".incomplete");
    }

    /** The snapshot of the revision, if a whole checkpoint is there. */
    Optional<Path> complete() throws IOException {
        Optional<Path> snapshot = commit().map(this::snapshot);
        return snapshot.isPresent() && isCheckpoint(snapshot.get()) ? snapshot : Optional.empty();
    }

    private static boolean isCheckpoint(Path snapshot) throws IOException {
        if (!Files.isRegularFile(snapshot.resolve(NeededFiles.CONFIG))) {
            return false;
        }
        for (String single : HuggingFaceCheckpoint.WEIGHTS) {
            if (Files.isRegularFile(snapshot.resolve(single))) {
                return true;
            }
            Path index = snapshot.resolve(single + ".index.json");
            if (Files.isRegularFile(index)) {
                SortedSet<String> shards = ShardIndex.read(index);
                return shards.stream().allMatch(name -> Files.isRegularFile(snapshot.resolve(name)));
            }
        }
        return false;
    }

    /** Whether the snapshot has the file. */
    boolean has(String commit, String name) {
        return Files.isRegularFile(snapshot(commit).resolve(name));
    }

    /** Shows a finished blob in the snapshot. */
    void link(String commit, HubFile file) throws IOException {
        Path link = snapshot(commit).resolve(file.name());
        Path target = Path.of("..", "..", "blobs", file.etag());
        Files.createDirectories(snapshot(commit));
        if (Files.isSymbolicLink(link) && !Files.readSymbolicLink(link).equals(target)
                || Files.exists(link, LinkOption.NOFOLLOW_LINKS) && !Files.exists(link)) {
            Files.delete(link);
        }
        try {
            Files.createSymbolicLink(link, target);
        } catch (FileAlreadyExistsException e) {
            // Another process was faster, with the same link.
        }
    }

    /** What is done to a blob. */
    @FunctionalInterface
    interface Work {
        void run() throws IOException;
    }

    /** Does {@code work} on a blob while nobody else, of this process or another, works on it. */
    void locked(HubFile file, Work work) throws IOException {
        Files.createDirectories(locks);
        Files.createDirectories(folder.resolve("blobs"));
        try (FileChannel channel = FileChannel.open(
                locks.resolve(file.etag() + ".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            while (tryLock(channel).isEmpty()) {
                Thread.sleep(LOCK_POLL_MILLIS);
            }
            // Closing the channel gives the lock back.
            work.run();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted").initCause(e);
        }
    }

    private static Optional<FileLock> tryLock(FileChannel channel) throws IOException {
        try {
            return Optional.ofNullable(channel.tryLock());
        } catch (OverlappingFileLockException e) {
            // A thread of this process has it.
            return Optional.empty();
        }
    }
}
