package dev.demitasse.quantize;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import java.util.List;
import java.util.Optional;

/** Rounds each weight to the nearest number; looks at no activations. */
final class NearestLayers implements LayerQuantizer {
    private final ModelConfig config;
    private final WeightSource source;
    private final FormatPlan plan;

    NearestLayers(ModelConfig config, WeightSource source, FormatPlan plan) {
        this.config = config;
        this.source = source;
        this.plan = plan;
    }

    @Override
    public QuantizedLayer quantize(int layer, LayerProgress progress) {
        LayerOutcome outcome = new LayerOutcome(config, source);
        for (TensorKey key : config.layerTensors(layer)) {
            if (LayerOutcome.quantizes(key)) {
                long start = System.nanoTime();
                outcome.put(key, RoundedTensor.nearest(source.tensor(key), plan.of(key)), Optional.empty(), start);
            }
        }
        return outcome.finish();
    }

    @Override
    public List<HiddenStates> states() {
        return List.of();
    }
}
