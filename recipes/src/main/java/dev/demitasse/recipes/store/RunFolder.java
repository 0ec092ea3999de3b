package dev.demitasse.recipes.store;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.files.AtomicFile;
import dev.demitasse.recipes.language.Recipe;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The folder of a recipe's runs, held by one run at a time:
 *
 * <pre>
 * recipe.lock.yaml   the recipe with every default and override written out
 * stages/ID/         what stage ID made, and stage.json: what it came from
 * artifacts/         the files that export stages made
 * work/ID/           what a stage not yet done needs to go on
 * references/        what models expect that others are compared with, to be measured against later
 * metrics.json       what was measured
 * events.jsonl       what happened
 * </pre>
 */
public final class RunFolder implements AutoCloseable {
    private static final String RECIPE = "recipe.lock.yaml";

    private final Path path;
    private final FileChannel lock;
    private final InstantSource clock;
    private final EventLog events;
    private final Fingerprints fingerprints;

    private RunFolder(Path path, FileChannel lock, InstantSource clock, Fingerprints fingerprints) {
        this.path = path;
        this.lock = lock;
        this.clock = clock;
        this.events = new EventLog(path.resolve("events.jsonl"), clock);
        this.fingerprints = fingerprints;
    }

    /** Where a recipe's runs go if nothing else is said: {@code runs/NAME} in the current directory. */
    public static Path of(Recipe recipe) {
        return Path.of("runs").resolve(recipe.name());
    }

    /**
     * Takes hold of a folder, makes it if need be, and writes recipe.lock.yaml.
     *
     * @throws InvalidRequestException if another run has it, or if it is a folder of something else
     */
    public static RunFolder open(Path folder, Recipe recipe) throws IOException {
        return open(folder, recipe, InstantSource.system());
    }

    static RunFolder open(Path folder, Recipe recipe, InstantSource clock) throws IOException {
        Path path = folder.toAbsolutePath().normalize();
        checkOurs(folder, path);
        Files.createDirectories(path);
        FileChannel lock = lock(folder, path.resolve(".lock"));
        try {
            AtomicFile.write(path.resolve(RECIPE), recipe.lock());
            return new RunFolder(path, lock, clock, Fingerprints.open(path.resolve("fingerprints.json")));
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /** A folder that holds other things is not written into. */
    private static void checkOurs(Path named, Path path) throws IOException {
        if (Files.exists(path) && !Files.isDirectory(path)) {
            throw new InvalidRequestException(named, "is a file", "name a folder for the run");
        }
        if (!Files.isDirectory(path) || Files.exists(path.resolve(RECIPE))) {
            return;
        }
        try (Stream<Path> inside = Files.list(path)) {
            if (inside.anyMatch(file -> !file.endsWith(".lock"))) {
                throw new InvalidRequestException(
                        named, "has files in it, but no " + RECIPE + ": it is not a run's folder", "name an empty one");
            }
        }
    }

    @SuppressWarnings("resource") // held by the channel, which close() closes
    private static FileChannel lock(Path named, Path file) throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        Optional<FileLock> held;
        try {
            held = Optional.ofNullable(channel.tryLock());
        } catch (OverlappingFileLockException e) {
            held = Optional.empty();
        } catch (IOException e) {
            channel.close();
            throw e;
        }
        if (held.isEmpty()) {
            channel.close();
            throw new InvalidRequestException(
                    named, "another run is working in this folder", "wait for it, or name another with --out");
        }
        return channel;
    }

    public Path path() {
        return path;
    }

    /** Where the result of stage {@code id} lies once it is committed. */
    public Path stage(String id) {
        return path.resolve("stages").resolve(id);
    }

    public Path artifacts() {
        return path.resolve("artifacts");
    }

    /** Where the predictions are kept that models are compared with. */
    public Path references() {
        return path.resolve("references");
    }

    public Path metrics() {
        return path.resolve("metrics.json");
    }

    public EventLog events() {
        return events;
    }

    /** Hashes of models, remembered in this folder. */
    public Fingerprints fingerprints() {
        return fingerprints;
    }

    /** What is known of the committed result of stage {@code id}. */
    public Optional<StageRecord> record(String id) throws IOException {
        return StageRecord.read(stage(id));
    }

    /** Whether the result of stage {@code id} is there, whole, and what {@code key} would make. */
    public boolean isFresh(String id, StageKey key) throws IOException {
        return whyStale(id, key).isEmpty();
    }

    /** Why stage {@code id} has to be done: {@code never done}, {@code changed: data.train}; nothing if it need not. */
    public Optional<String> whyStale(String id, StageKey key) throws IOException {
        Optional<StageRecord> record = record(id);
        if (record.isEmpty()) {
            return Optional.of(Files.exists(work(id)) ? "not finished" : "never done");
        }
        List<String> differences = key.differences(record.get().key());
        if (!differences.isEmpty()) {
            return Optional.of("changed: " + String.join(", ", differences));
        }
        for (var file : record.get().files().entrySet()) {
            Path place = path.resolve(file.getKey());
            if (!Files.isRegularFile(place) || Files.size(place) != file.getValue()) {
                return Optional.of(file.getKey() + " is not as it was left");
            }
        }
        return Optional.empty();
    }

    private Path work(String id) {
        return path.resolve("work").resolve(id);
    }

    /** Starts stage {@code id}, or goes on with it where a run with the same key was cut off. */
    public StageWork begin(String id, StageKey key) throws IOException {
        return StageWork.begin(this, work(id), id, key, clock);
    }

    /** Lets go of the folder. */
    @Override
    public void close() throws IOException {
        lock.close();
    }
}
