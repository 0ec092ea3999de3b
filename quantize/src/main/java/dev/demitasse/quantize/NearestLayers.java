package dev.demitasse.quantize;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.gguf.ImportanceMatrix;
import dev.demitasse.quantize.mix.TensorPlan;
import java.util.List;
import java.util.Optional;

/** Rounds each weight to the nearest number, of layers as they are or transformed. */
final class NearestLayers implements LayerQuantizer {
    private final ModelConfig config;
    private final WeightSource source;
    private final TensorPlan plan;
    private final Optional<TransformedLayers> transform;
    private final Optional<ImportanceMatrix> importance;

    /** @param importance of inputs, by which scales are chosen */
    NearestLayers(
            ModelConfig config,
            WeightSource source,
            TensorPlan plan,
            Optional<TransformedLayers> transform,
            Optional<ImportanceMatrix> importance) {
        this.config = config;
        this.source = source;
        this.plan = plan;
        this.transform = transform;
        this.importance = importance;
    }

    @Override
    public QuantizedLayer quantize(int layer, LayerProgress progress) {
        // Rounding the weights takes about as long as a few windows.
        transform.ifPresent(layers -> progress.expect(1.2 * layers.states().count()));
        WeightSource weights =
                transform.map(layers -> layers.layer(layer, progress)).orElse(source);
        LayerOutcome outcome = new LayerOutcome(config, weights);
        for (TensorKey key : config.layerTensors(layer)) {
            long start = System.nanoTime();
            Tensor tensor = weights.tensor(key);
            if (TensorPlan.quantizes(key)) {
                outcome.put(key, rounded(key, tensor), start);
            } else {
                outcome.put(key, tensor);
            }
        }
        return outcome.finish();
    }

    private RoundedTensor rounded(TensorKey key, Tensor tensor) {
        return importance
                .flatMap(matrix -> matrix.meanSquares(config, key))
                .map(squares -> RoundedTensor.weighted(tensor, plan.of(key), squares))
                .orElseGet(() -> RoundedTensor.nearest(tensor, plan.of(key)));
    }

    @Override
    public List<HiddenStates> states() {
        return transform.stream().map(TransformedLayers::states).toList();
    }
}
