package dev.demitasse.distill;

import ai.djl.ndarray.NDArray;
import dev.demitasse.distill.network.NativeTensors;
import dev.demitasse.distill.network.PyTorch;
import dev.demitasse.distill.optimize.AdamW;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.safetensors.SafetensorsFile;
import dev.demitasse.model.safetensors.SafetensorsWriter;
import dev.demitasse.model.safetensors.SafetensorsWriter.Slot;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Everything a training needs to go on as if it had never stopped: each parameter (of student and projections) in float32
 * with both moments of AdamW, and in the header's metadata the number of steps, the position in the window order, and
 * which job it belongs to. One file, so that it is whole or not there. What else varies over time, learning rate and
 * windows, follows from the step; no random number is drawn after the start.
 */
final class SavedState {
    static final String FILE = "state.safetensors";

    private static final String JOB = "job";
    private static final String STEPS = "steps";
    private static final String POSITION = "position";

    private SavedState() {}

    /**
     * @param job fingerprint of the training
     * @param position of the next window in the order
     */
    static void write(Path folder, String job, long position, AdamW optimizer) throws IOException {
        SequencedMap<String, NDArray> arrays = arrays(optimizer);
        Map<String, Slot> slots = new LinkedHashMap<>();
        arrays.forEach((name, array) ->
                slots.put(name, new Slot(ScalarFormat.F32, array.getShape().getShape())));
        Map<String, String> metadata =
                Map.of(JOB, job, STEPS, Integer.toString(optimizer.steps()), POSITION, Long.toString(position));
        try (SafetensorsWriter writer = SafetensorsWriter.create(folder.resolve(FILE), slots, metadata);
                PyTorch.Untraced untraced = PyTorch.untraced()) {
            for (Map.Entry<String, NDArray> array : arrays.entrySet()) {
                try (Arena arena = Arena.ofConfined()) {
                    writer.write(array.getKey(), NativeTensors.save(arena, array.getKey(), array.getValue()));
                }
            }
            writer.commit();
        }
    }

    /**
     * Puts a saved state back into {@code optimizer}'s arrays. A state of another job is left alone.
     *
     * @return the position of the next window; 0 where there is no state to go on from
     */
    static long restore(Path folder, String job, AdamW optimizer) throws IOException {
        deleteUnfinished(folder);
        Path path = folder.resolve(FILE);
        if (!Files.exists(path)) {
            return 0;
        }
        try (SafetensorsFile file = SafetensorsFile.open(path);
                PyTorch.Untraced untraced = PyTorch.untraced()) {
            if (!job.equals(file.metadata().get(JOB))) {
                return 0;
            }
            arrays(optimizer).forEach((name, array) -> NativeTensors.copy(file.tensor(name), array));
            optimizer.resumeAfter(Integer.parseInt(file.metadata().getOrDefault(STEPS, "0")));
            return Long.parseLong(file.metadata().getOrDefault(POSITION, "0"));
        }
    }

    /** A process that died while it saved leaves a file that is never completed, as large as the state. */
    private static void deleteUnfinished(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return;
        }
        try (DirectoryStream<Path> unfinished = Files.newDirectoryStream(folder, "." + FILE + ".*.part")) {
            for (Path path : unfinished) {
                Files.deleteIfExists(path);
            }
        }
    }

    /** After the trained model is in its place. */
    static void delete(Path folder) throws IOException {
        Files.deleteIfExists(folder.resolve(FILE));
    }

    private static SequencedMap<String, NDArray> arrays(AdamW optimizer) {
        SequencedMap<String, NDArray> arrays = new LinkedHashMap<>();
        optimizer.slots().forEach((name, slot) -> {
            arrays.put("parameter." + name, slot.parameter());
            arrays.put("first_moment." + name, slot.firstMoment());
            arrays.put("second_moment." + name, slot.secondMoment());
        });
        return arrays;
    }
}
