package dev.demitasse.prune;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.safetensors.CheckpointWriter;
import dev.demitasse.prune.PruneReport.LayerCut;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Structured pruning to a smaller model of the same family, in one shot (Minitron, Muralidharan et al.,
 * arXiv:2407.14679 §2): every part of the untouched model is scored, the highest-scored stay, and their rows and
 * columns are written as a plain checkpoint. Sizes are the same in every layer, as config.json demands; which neurons
 * and heads stay is each layer's own choice, which channels the whole model's.
 */
public final class Pruning {
    private Pruning() {}

    /**
     * Prunes {@code source} into the folder {@code output}, tensors in the formats they have, tokenizer kept. Takes
     * memory for the calibration windows' hidden states, one layer and one tensor.
     *
     * @param calibration text of the kind the model is for; needed for {@link Importance#ACTIVATION}
     * @throws InvalidRequestException if {@code source} is quantized, nothing would be cut, or calibration text is
     *     missing
     */
    public static PruneReport run(
            Checkpoint source, PruneOptions options, Optional<TokenWindows> calibration, Path output, Progress progress)
            throws IOException {
        return run(source, options, () -> windows(calibration), output, progress);
    }

    /** As above, with calibration token ids, {@code [windows, length]}. */
    static PruneReport run(
            Checkpoint source, PruneOptions options, Supplier<int[][]> calibration, Path output, Progress progress)
            throws IOException {
        long start = System.nanoTime();
        ModelConfig target = check(source, options, output);
        Scores scores = switch (options.importance()) {
            case ACTIVATION -> ActivationImportance.measure(source, calibration.get(), progress);
            case MAGNITUDE -> MagnitudeImportance.measure(source, progress);
        };
        Selection selection = Selection.of(scores, source.config(), target);
        ModelConfig pruned = selection.applied(source.config(), target);
        write(source, pruned, selection, scores, output, progress);
        Duration elapsed = Duration.ofNanos(System.nanoTime() - start);
        return report(source.config(), pruned, options.importance(), scores, selection, elapsed);
    }

    private static ModelConfig check(Checkpoint source, PruneOptions options, Path output) {
        for (TensorKey key : source.config().tensors()) {
            TensorFormat format = source.format(key);
            if (!(format instanceof ScalarFormat scalar && scalar.floating())) {
                throw new InvalidRequestException(
                        source.path(),
                        "is quantized (%s); pruning needs float weights".formatted(format.id()),
                        "prune the model it was quantized from, then quantize the result");
            }
        }
        if (output.toAbsolutePath()
                .normalize()
                .equals(source.path().toAbsolutePath().normalize())) {
            throw new InvalidRequestException(output, "is the source itself", "name another folder for the result");
        }
        return PruneSizes.apply(source.config(), options);
    }

    static int[][] windows(Optional<TokenWindows> calibration) {
        TokenWindows windows = calibration
                .filter(given -> given.count() > 0)
                .orElseThrow(() -> new InvalidRequestException(
                        "prune.importance",
                        "'activation' needs calibration text, and there is none",
                        "name some under data.calibration, or rank by 'magnitude'"));
        return IntStream.range(0, windows.count()).mapToObj(windows::window).toArray(int[][]::new);
    }

    /** Writes the model that {@code scores} leave of {@code source} at the sizes of {@code target}. */
    static Selection write(Checkpoint source, ModelConfig target, Scores scores, Path output, Progress progress)
            throws IOException {
        Selection selection = Selection.of(scores, source.config(), target);
        write(source, selection.applied(source.config(), target), selection, scores, output, progress);
        return selection;
    }

    private static void write(
            Checkpoint source, ModelConfig target, Selection selection, Scores scores, Path output, Progress progress)
            throws IOException {
        Cutting cutting = new Cutting(source, selection, scores);
        List<TensorKey> keys = target.tensors();
        try (CheckpointWriter writer =
                CheckpointWriter.create(output, target, source.tokenizer(), key -> formatOf(source, selection, key))) {
            progress.begin("write the smaller model", keys.size(), "tensors");
            for (TensorKey key : keys) {
                try (Arena arena = Arena.ofConfined()) {
                    Tensor tensor = cutting.cut(key, arena);
                    writer.write(key, tensor);
                }
                progress.advance(1);
            }
            writer.commit();
            progress.end();
        }
    }

    private static TensorFormat formatOf(Checkpoint source, Selection selection, TensorKey key) {
        TensorKey whole = key.role().perLayer() ? key.inLayer(selection.layers()[key.layer()]) : key;
        return source.format(whole);
    }

    private static PruneReport report(
            ModelConfig before,
            ModelConfig after,
            Importance importance,
            Scores scores,
            Selection selection,
            Duration elapsed) {
        List<LayerCut> cuts = new ArrayList<>();
        int next = 0;
        for (int layer = 0; layer < before.layers(); layer++) {
            double whole = scores.layers()[layer];
            if (next < selection.layers().length && selection.layers()[next] == layer) {
                double neurons =
                        Selection.share(scores.neurons()[layer], selection.neurons()[next]);
                double heads = Selection.share(scores.groups()[layer], selection.groups()[next]);
                cuts.add(new LayerCut(layer, true, whole, neurons, heads));
                next++;
            } else {
                cuts.add(new LayerCut(layer, false, whole, 0, 0));
            }
        }
        double channels = Selection.share(scores.channels(), selection.channels());
        return new PruneReport(before, after, importance, cuts, channels, elapsed);
    }
}
