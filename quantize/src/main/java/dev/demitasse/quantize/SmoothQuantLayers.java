package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import dev.demitasse.quantize.smooth.ActivationRange;
import dev.demitasse.quantize.smooth.SmoothedLayer;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** Smooths each layer by the ranges its inputs have in the float model, then rounds it to INT8 row by row. */
final class SmoothQuantLayers implements LayerQuantizer {
    private final ModelConfig config;
    private final WeightSource source;
    private final FormatPlan plan;
    private final double alpha;
    private final HiddenStates states;

    SmoothQuantLayers(
            ModelConfig config,
            WeightSource source,
            FormatPlan plan,
            double alpha,
            TokenWindows calibration,
            StateStore store)
            throws IOException {
        this.config = config;
        this.source = source;
        this.plan = plan;
        this.alpha = alpha;
        this.states = HiddenStates.embed(config, source, calibration, store);
    }

    @Override
    public QuantizedLayer quantize(int layer, LayerProgress progress) {
        // Rounding the weights takes about as long as a few windows.
        progress.expect(1.2 * states.count());
        ActivationRange range = new ActivationRange();
        DecoderLayer exact = DecoderLayer.load(config, source, layer);
        for (int window = 0; window < states.count(); window++) {
            ResidualStream stream = states.read(window);
            exact.forward(stream, exact.newCache(states.length()), range);
            states.write(window, stream);
            progress.add(1);
        }
        ReplacedWeights smoothed = new ReplacedWeights(source);
        smoothed.putAll(SmoothedLayer.smooth(config, source, layer, range, alpha));
        LayerOutcome outcome = new LayerOutcome(config, smoothed);
        for (TensorKey key : config.layerTensors(layer)) {
            long start = System.nanoTime();
            if (LayerOutcome.quantizes(key)) {
                outcome.put(key, RoundedTensor.nearest(smoothed.tensor(key), plan.of(key)), Optional.empty(), start);
            } else {
                outcome.put(key, smoothed.tensor(key));
            }
        }
        return outcome.finish();
    }

    @Override
    public List<HiddenStates> states() {
        return List.of(states);
    }
}
