package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.gguf.ImportanceMatrix;
import java.nio.file.Path;
import java.util.Optional;

/**
 * One quantization.
 *
 * @param source what is quantized
 * @param options how
 * @param calibration text as the model will meet it. Round-to-nearest does without; given, it serves to measure output
 *     errors
 * @param importance of inputs, collected before: method IMPORTANCE does without calibration then
 * @param output folder for the quantized checkpoint
 * @param work folder that outlives a kill, on the disk of {@code output}: what is done of layers is kept there, and a run
 *     of the same job goes on with it. Without one a run that was cut off is begun anew
 * @param stateBytes memory for the hidden states of the calibration windows; what does not fit is in files in {@code work}
 *     or {@code output} meanwhile
 */
public record QuantizationJob(
        Checkpoint source,
        QuantizeOptions options,
        Optional<TokenWindows> calibration,
        Optional<ImportanceMatrix> importance,
        Path output,
        Optional<Path> work,
        long stateBytes) {
    public QuantizationJob {
        if (stateBytes < 0) {
            throw new IllegalArgumentException("state bytes " + stateBytes);
        }
    }

    /** A job that keeps nothing to go on with; hidden states may take an eighth of the heap. */
    public static QuantizationJob of(
            Checkpoint source, QuantizeOptions options, Optional<TokenWindows> calibration, Path output) {
        return new QuantizationJob(
                source,
                options,
                calibration,
                Optional.empty(),
                output,
                Optional.empty(),
                Runtime.getRuntime().maxMemory() / 8);
    }

    public QuantizationJob withWork(Path folder) {
        return new QuantizationJob(source, options, calibration, importance, output, Optional.of(folder), stateBytes);
    }

    public QuantizationJob withStateBytes(long bytes) {
        return new QuantizationJob(source, options, calibration, importance, output, work, bytes);
    }

    /** With what was collected before instead of calibration text. */
    public QuantizationJob withImportance(ImportanceMatrix matrix) {
        return new QuantizationJob(source, options, Optional.empty(), Optional.of(matrix), output, work, stateBytes);
    }
}
