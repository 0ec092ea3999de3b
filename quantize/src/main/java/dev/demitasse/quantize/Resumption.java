package dev.demitasse.quantize;

import dev.demitasse.model.safetensors.SafetensorsWriter;
import dev.demitasse.quantize.QuantizationReport.TensorReport;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Keeps what is done of a quantization in a folder, for a later process to go on after the last finished layer to the same
 * bytes: finished tensors in the half-written file, the hidden states that enter the next layer, and a {@link Journal} of
 * both. States are kept rather than found again: they are as exact, and writing them takes a hundredth of what the layer
 * took. All is verified by checksums before it is used, as a machine that lost power may have lost some of it.
 */
final class Resumption {
    private static final String WEIGHTS = "weights.part";

    private final Path folder;
    private final String job;
    private final Map<String, Long> checksums = new LinkedHashMap<>();

    Resumption(Path folder, String job) throws IOException {
        this.folder = folder;
        this.job = job;
        Files.createDirectories(folder);
    }

    /** Where the half-written file is. */
    Path weights() {
        return folder.resolve(WEIGHTS);
    }

    /**
     * What came of looking for an earlier run's work.
     *
     * @param layers how many are done
     * @param reports of what is done
     * @param note what to tell of it; empty if there was nothing
     */
    record Found(int layers, List<TensorReport> reports, Optional<String> note) {
        static final Found NOTHING = new Found(0, List.of(), Optional.empty());

        private static Found nothing(String note) {
            return new Found(0, List.of(), Optional.of(note));
        }
    }

    /** Looks for what an earlier run left; its tensors count as written in {@code writer}. */
    Found find(SafetensorsWriter writer) throws IOException {
        Optional<Journal> read = Journal.read(folder);
        if (read.isEmpty()) {
            return Found.NOTHING;
        }
        Journal journal = read.get();
        if (!journal.job().equals(job)) {
            return Found.nothing("%s holds the work of another quantization: begun anew".formatted(folder));
        }
        boolean whole = true;
        for (int i = 0; i < journal.states().size() && whole; i++) {
            whole = SpillFile.holds(
                    folder.resolve(name(journal.layers(), i)), journal.states().get(i));
        }
        if (!whole || !writer.keep(journal.tensors())) {
            return Found.nothing("what an earlier run left in %s is damaged: begun anew".formatted(folder));
        }
        checksums.putAll(journal.tensors());
        return new Found(
                journal.layers(),
                journal.reports(),
                Optional.of("went on after layer %d, which an earlier run had finished".formatted(journal.layers())));
    }

    /** Puts the states that entered the next layer after {@code layers} back. */
    void restore(int layers, List<HiddenStates> states) throws IOException {
        for (int i = 0; i < states.size(); i++) {
            states.get(i).load(folder.resolve(name(layers, i)));
        }
    }

    /** Keeps what is done when {@code layers} layers are. */
    void keep(int layers, SafetensorsWriter writer, List<HiddenStates> states, List<TensorReport> reports)
            throws IOException {
        List<Long> kept = new ArrayList<>();
        for (int i = 0; i < states.size(); i++) {
            kept.add(states.get(i).save(folder, name(layers, i)));
        }
        for (String name : writer.complete()) {
            if (!checksums.containsKey(name)) {
                checksums.put(name, writer.checksum(name));
            }
        }
        new Journal(job, layers, checksums, reports, kept).write(folder);
        deleteStates("states-%d-".formatted(layers));
    }

    /** After the result is in its place. */
    void delete() throws IOException {
        Files.deleteIfExists(folder.resolve(Journal.FILE));
        Files.deleteIfExists(weights());
        deleteStates("none");
    }

    private static String name(int layers, int index) {
        return "states-%d-%d.bin".formatted(layers, index);
    }

    /** All but those whose name begins with {@code kept}. */
    private void deleteStates(String kept) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "states-*.bin")) {
            for (Path file : files) {
                if (!file.getFileName().toString().startsWith(kept)) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }
}
