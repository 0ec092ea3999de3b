package dev.demitasse.recipes.run;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.Scorer;
import dev.demitasse.infer.evaluate.Keeping;
import dev.demitasse.infer.evaluate.KeptReference;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.infer.evaluate.ReferenceWriter;
import dev.demitasse.model.DemitasseException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.progress.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What models expect of the test text that others are compared with, in a folder of the run: one file for each, whole up to
 * {@link Keeping#WHOLE_LIMIT}, in part beyond.
 */
final class KeptReferences implements AutoCloseable {
    private static final String ENDING = ".kept";

    private final Path folder;
    private final Protocol protocol;
    private final Map<String, KeptReference> open = new HashMap<>();

    KeptReferences(Path folder, Protocol protocol) {
        this.folder = folder;
        this.protocol = protocol;
    }

    /**
     * What was kept of model {@code id}; stays open until these are closed.
     *
     * @param hash of the model
     * @param config of what is to be compared with it
     */
    Optional<KeptReference> find(String id, String hash, ModelConfig config, TokenWindows test) throws IOException {
        Optional<KeptReference> kept = open(id);
        return kept.filter(reference -> reference.isOf(hash, config, test, protocol));
    }

    private Optional<KeptReference> open(String id) throws IOException {
        KeptReference known = open.get(id);
        if (known != null) {
            return Optional.of(known);
        }
        Path file = file(id);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        try {
            KeptReference reference = KeptReference.open(file);
            open.put(id, reference);
            return Optional.of(reference);
        } catch (DemitasseException e) {
            // Only a memory of what can be computed again.
            Files.delete(file);
            return Optional.empty();
        }
    }

    /** Begins to keep what model {@code id} expects; what was kept of another model of that id is dropped. */
    ReferenceWriter begin(String id, String hash, ModelConfig config, TokenWindows test) throws IOException {
        close(id);
        return ReferenceWriter.create(file(id), config, hash, test, protocol, keeping(config, test));
    }

    /** Runs {@code model} over {@code test} and keeps what it expects. */
    void record(String id, String hash, Scorer model, TokenWindows test, Progress progress) throws IOException {
        close(id);
        KeptReference.record(model, hash, test, protocol, keeping(model.config(), test), file(id), progress);
    }

    private static Keeping keeping(ModelConfig config, TokenWindows test) {
        return Keeping.within(Keeping.WHOLE_LIMIT, test.tokens(), config.vocabularySize());
    }

    /** Deletes the files of all models but {@code ids}. */
    void keepOnly(Collection<String> ids) throws IOException {
        if (!Files.isDirectory(folder)) {
            return;
        }
        List<String> wanted = ids.stream().map(id -> id + ENDING).toList();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (!wanted.contains(name)) {
                    close(name.replace(ENDING, ""));
                    Files.delete(file);
                }
            }
        }
    }

    private void close(String id) {
        KeptReference before = open.remove(id);
        if (before != null) {
            before.close();
        }
    }

    private Path file(String id) {
        return folder.resolve(id + ENDING);
    }

    @Override
    public void close() {
        open.values().forEach(KeptReference::close);
    }
}
