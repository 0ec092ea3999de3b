package dev.demitasse.recipes.store;

import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.model.files.Folders;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A stage being done. Its result is written to {@link #output} and comes into its place as a whole with {@link #commit};
 * what it needs to go on after being killed is in {@link #resume}, which stays until then.
 */
public final class StageWork implements AutoCloseable {
    private static final String KEY = "key";
    private static final String SECONDS = "seconds";

    private final RunFolder folder;
    private final Path work;
    private final String id;
    private final StageKey key;
    private final InstantSource clock;
    private final Instant started;
    private final boolean resumed;

    private StageWork(RunFolder folder, Path work, String id, StageKey key, InstantSource clock, boolean resumed) {
        this.folder = folder;
        this.work = work;
        this.id = id;
        this.key = key;
        this.clock = clock;
        this.started = clock.instant();
        this.resumed = resumed;
    }

    static StageWork begin(RunFolder folder, Path work, String id, StageKey key, InstantSource clock)
            throws IOException {
        Path keyFile = work.resolve(KEY);
        boolean same = Files.exists(keyFile) && Files.readString(keyFile).equals(key.hash());
        if (!same) {
            Folders.delete(work);
            AtomicFile.write(keyFile, key.hash());
        }
        StageWork stage = new StageWork(folder, work, id, key, clock, same);
        Folders.delete(stage.output());
        Files.createDirectories(stage.output());
        Files.createDirectories(stage.resume());
        return stage;
    }

    /** Whether a run with the same key was cut off here, so that {@link #resume} may hold what it left. */
    public boolean resumed() {
        return resumed;
    }

    /** Where the result is written; empty at first. */
    public Path output() {
        return work.resolve("output");
    }

    /** Where to keep what is needed to go on; as a run with the same key left it. */
    public Path resume() {
        return work.resolve("resume");
    }

    /** Puts the result in its place, {@code stages/ID}. */
    public StageRecord commit() throws IOException {
        return commit(List.of());
    }

    /**
     * Puts the result in its place: {@code artifacts} of {@link #output} into the run's artifacts folder, the rest into
     * {@code stages/ID}.
     *
     * @param artifacts names of files and folders in {@link #output}
     */
    public StageRecord commit(List<String> artifacts) throws IOException {
        Path place = folder.stage(id);
        // First the old record goes: killed from here on, the stage counts as not done.
        Files.deleteIfExists(place.resolve(StageRecord.FILE));
        Map<String, Long> files = new TreeMap<>();
        for (String name : artifacts) {
            Path artifact = folder.artifacts().resolve(name);
            Files.createDirectories(folder.artifacts());
            if (Files.isDirectory(artifact)) {
                Folders.delete(artifact);
            }
            Files.move(
                    output().resolve(name),
                    artifact,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
            addSizes(artifact, artifact, files);
        }
        addSizes(output(), place, files);
        StageRecord record = new StageRecord(
                id, key, clock.instant().truncatedTo(ChronoUnit.SECONDS).toString(), seconds(), files);
        AtomicFile.write(output().resolve(StageRecord.FILE), record.toJson());
        Files.createDirectories(place.getParent());
        if (Files.exists(place)) {
            Path old = work.resolve("old");
            Folders.delete(old);
            Files.move(place, old, StandardCopyOption.ATOMIC_MOVE);
        }
        Files.move(output(), place, StandardCopyOption.ATOMIC_MOVE);
        Folders.delete(work);
        return record;
    }

    /** Adds the sizes of {@code path}, a file or all in a folder, by their names once it lies at {@code place}. */
    private void addSizes(Path path, Path place, Map<String, Long> sizes) throws IOException {
        try (Stream<Path> inside = Files.walk(path)) {
            for (Path file : inside.filter(Files::isRegularFile).toList()) {
                sizes.put(relative(place.resolve(path.relativize(file).toString())), Files.size(file));
            }
        }
    }

    private String relative(Path file) {
        return folder.path().relativize(file).toString().replace('\\', '/');
    }

    private double seconds() throws IOException {
        Path file = work.resolve(SECONDS);
        double before = Files.exists(file) ? Double.parseDouble(Files.readString(file)) : 0;
        return before + Duration.between(started, clock.instant()).toMillis() / 1000.0;
    }

    /** Without a commit, drops what was written of the result and keeps {@link #resume}. */
    @Override
    public void close() throws IOException {
        if (Files.exists(work)) {
            Folders.delete(output());
            AtomicFile.write(work.resolve(SECONDS), Double.toString(seconds()));
        }
    }
}
