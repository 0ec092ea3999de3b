package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.mix.TensorPlan;
import dev.demitasse.quantize.transform.Awq;
import dev.demitasse.quantize.transform.Factors;
import dev.demitasse.quantize.transform.InputStatistics;
import dev.demitasse.quantize.transform.ScaledLayer;
import dev.demitasse.quantize.transform.SmoothQuant;
import java.io.IOException;
import java.util.Optional;

/** Layers transformed by what their inputs look like in the float model; to be asked for 0, 1, 2 … in turn. */
final class TransformedLayers {
    /** Tokens of each input that a search looks at. */
    private static final int SAMPLE = 1024;

    private final ModelConfig config;
    private final WeightSource source;
    private final Factors rule;
    private final HiddenStates states;

    private TransformedLayers(ModelConfig config, WeightSource source, Factors rule, HiddenStates states) {
        this.config = config;
        this.source = source;
        this.rule = rule;
        this.states = states;
    }

    /** The transform that {@code options} ask for, if they do. */
    static Optional<TransformedLayers> of(
            ModelConfig config,
            WeightSource source,
            TensorPlan plan,
            QuantizeOptions options,
            TokenWindows calibration,
            StateStore store)
            throws IOException {
        Optional<Factors> rule = switch (options.transform()) {
            case NONE -> Optional.empty();
            case SMOOTHQUANT -> Optional.of(new SmoothQuant(options.smoothing()));
            case AWQ -> Optional.of(new Awq(key -> Grid.of(plan.of(key), config.columns(key))));
        };
        return rule.isEmpty()
                ? Optional.empty()
                : Optional.of(new TransformedLayers(
                        config, source, rule.get(), HiddenStates.embed(config, source, calibration, store)));
    }

    /** The float model's states before the next layer. */
    HiddenStates states() {
        return states;
    }

    /** The source with layer {@code layer} transformed; a unit of {@code progress} for each window. */
    WeightSource layer(int layer, LayerProgress progress) {
        InputStatistics statistics = new InputStatistics((long) states.count() * states.length(), SAMPLE);
        DecoderLayer exact = DecoderLayer.load(config, source, layer);
        for (int window = 0; window < states.count(); window++) {
            ResidualStream stream = states.read(window);
            exact.forward(stream, exact.newCache(states.length()), statistics);
            states.write(window, stream);
            progress.add(1);
        }
        ReplacedWeights transformed = new ReplacedWeights(source);
        transformed.putAll(ScaledLayer.scale(config, source, layer, statistics, rule));
        return transformed;
    }
}
