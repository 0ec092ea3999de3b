package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.Embedding;
import dev.demitasse.infer.OutputHead;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.evaluate.Keeping;
import dev.demitasse.infer.evaluate.KeptReference;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.quantize.SensitivityOptions.Measure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Rounds one group of weights at a time to each of several formats, all others left as they are, and tells what that costs.
 * The unrounded model runs once: its predictions are kept ({@link KeptReference}), and its hidden states are taken along from
 * layer to layer, so that a model in which layer l is rounded is run from layer l on only.
 *
 * <p>Rounding is to nearest. What a better algorithm costs is less, but formats and groups mostly keep their order.
 */
public final class Sensitivity {
    private final Checkpoint source;
    private final ModelConfig config;
    private final WeightSource weights;
    private final SensitivityOptions options;
    private final TokenWindows text;
    private final Progress progress;
    private final TensorLosses losses;
    private final SensitivityTable table;

    private Sensitivity(Checkpoint source, SensitivityOptions options, TokenWindows text, Progress progress) {
        this.source = source;
        this.config = source.config();
        this.weights = WeightSource.of(source);
        this.options = options;
        this.text = text;
        this.progress = progress;
        this.losses = new TensorLosses(config);
        this.table = new SensitivityTable(source, options);
    }

    /**
     * @param text of whose windows every token but the first is scored
     * @throws InvalidRequestException if the model is quantized already, is no decoder, or has fewer positions than windows
     *     have tokens
     */
    public static SensitivityReport measure(
            Checkpoint source, SensitivityOptions options, TokenWindows text, Progress progress) throws IOException {
        Sensitivity sensitivity = new Sensitivity(source, options, text, progress);
        sensitivity.check();
        sensitivity.run();
        return sensitivity.table.report(text.tokens());
    }

    private void check() {
        if (!config.causal()) {
            throw new InvalidRequestException(
                    source.path(), "is an encoder, which foretells no text", "name a decoder");
        }
        if (text.length() > config.maximumPositions()) {
            throw new InvalidRequestException(
                    "windows",
                    "of %,d tokens are longer than the %,d positions of the model"
                            .formatted(text.length(), config.maximumPositions()),
                    "use shorter ones");
        }
        for (TensorKey key : config.tensors()) {
            TensorFormat format = source.format(key);
            if (format instanceof BlockFormat || format.rowScaled()) {
                throw new InvalidRequestException(
                        source.path(),
                        "is quantized already: %s is %s".formatted(config.name(key), format.id()),
                        "name the float checkpoint it was made of");
            }
        }
    }

    private void run() throws IOException {
        try (CpuModel exact = CpuModel.of(config, weights)) {
            if (options.measure() == Measure.OUTPUT) {
                progress.begin("rounding", config.layers() + 1L, "layers");
                sweep(exact, Optional.empty());
            } else {
                Path kept = Files.createTempFile("demitasse", ".kept");
                try {
                    Keeping keeping = Keeping.within(Keeping.WHOLE_LIMIT, text.tokens(), config.vocabularySize());
                    KeptReference.record(exact, "exact", text, Protocol.DEFAULT, keeping, kept, progress);
                    progress.begin(
                            "rounding",
                            table.groups().size() * (long) options.formats().size(),
                            "groups");
                    try (KeptReference reference = KeptReference.open(kept)) {
                        sweep(exact, Optional.of(new RoundedRuns(config, weights, text, reference)));
                    }
                } finally {
                    Files.deleteIfExists(kept);
                }
            }
            progress.end();
        }
    }

    /** Takes the hidden states through the model; groups are rounded where they begin. */
    private void sweep(CpuModel exact, Optional<RoundedRuns> runs) throws IOException {
        round(-1, new ResidualStream[0], runs);
        ResidualStream[] streams = embed();
        for (int layer = 0; layer < config.layers(); layer++) {
            ResidualStream[] next = new ResidualStream[streams.length];
            for (int window = 0; window < next.length; window++) {
                next[window] = streams[window].copy();
                exact.advance(layer, next[window], losses);
            }
            lose(layer);
            losses.forgetInputs();
            round(layer, streams, runs);
            streams = next;
            if (runs.isEmpty()) {
                progress.advance(1);
            }
        }
        seeHead(streams);
        lose(TensorKey.NO_LAYER);
        round(config.layers(), streams, runs);
        if (runs.isEmpty()) {
            progress.advance(1);
        }
    }

    private ResidualStream[] embed() {
        ResidualStream[] streams = new ResidualStream[text.count()];
        for (int window = 0; window < streams.length; window++) {
            float[] hidden = new float[Math.multiplyExact(text.length(), config.hiddenSize())];
            Embedding.lookup(config, weights, text.window(window), hidden);
            streams[window] = ResidualStream.of(hidden, text.length());
        }
        return streams;
    }

    /** What the head sees, where nothing stands between it and the final norm. */
    private void seeHead(ResidualStream[] streams) {
        if (config.embedding().width() != config.hiddenSize()) {
            return;
        }
        OutputHead head = OutputHead.load(config, weights);
        for (ResidualStream stream : streams) {
            float[] normed = head.normalize(stream.hidden(), stream.tokens());
            losses.onInput(TensorKey.weight(Role.HEAD), normed, stream.tokens(), config.hiddenSize());
        }
    }

    /** What rounding does to the weights of {@code layer}, or of those outside the layers, each by itself. */
    private void lose(int layer) {
        for (TensorKey key : table.everything().keys()) {
            if (key.layer() == layer) {
                for (TensorFormat format : options.formats()) {
                    Optional<RoundedTensor> rounded = format.fits(config.columns(key))
                            ? Optional.of(RoundedTensor.nearest(weights.tensor(key), format))
                            : Optional.empty();
                    table.put(key, format, losses.of(key, weights.tensor(key), rounded));
                }
            }
        }
    }

    /** Runs the model with each group rounded that begins at {@code layer}, before which it has the states {@code streams}. */
    private void round(int layer, ResidualStream[] streams, Optional<RoundedRuns> runs) throws IOException {
        if (runs.isEmpty()) {
            return;
        }
        for (TensorGroup group : table.groups()) {
            if (group.begins(config) != layer) {
                continue;
            }
            for (TensorFormat format : options.formats()) {
                Map<TensorKey, RoundedTensor> rounded = new HashMap<>();
                for (TensorKey key : fitting(group, format)) {
                    rounded.put(key, RoundedTensor.nearest(weights.tensor(key), format));
                }
                if (!rounded.isEmpty()) {
                    table.put(group, format, runs.get().divergence(rounded, layer, streams));
                }
                progress.advance(1);
                progress.note(group.name());
            }
        }
    }

    private List<TensorKey> fitting(TensorGroup group, TensorFormat format) {
        List<TensorKey> fitting = new ArrayList<>(group.keys());
        fitting.removeIf(key -> !format.fits(config.columns(key)));
        return fitting;
    }
}
