package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.ActivationListener;
import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.OutputHead;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import java.io.IOException;
import java.util.Optional;

/**
 * What the head sees in the float model: the importance of its columns, and of those of an embedding that is the head too.
 * A sample of the calibration is enough for one number a column, and is all that a large model has the time for.
 */
final class HeadInput {
    private static final int TOKENS = 4096;

    private HeadInput() {}

    /** The mean square of each channel, {@code [hiddenSize]}; empty where something stands between norm and head. */
    static Optional<double[]> importance(
            ModelConfig config, WeightSource source, TokenWindows calibration, StateStore store) throws IOException {
        if (config.embedding().width() != config.hiddenSize()) {
            return Optional.empty();
        }
        int windows = Math.clamp(Math.ceilDiv(TOKENS, calibration.length()), 1, calibration.count());
        try (HiddenStates states = HiddenStates.embed(config, source, calibration.take(0, windows), store)) {
            for (int layer = 0; layer < config.layers(); layer++) {
                DecoderLayer decoder = DecoderLayer.load(config, source, layer);
                for (int window = 0; window < windows; window++) {
                    ResidualStream stream = states.read(window);
                    decoder.forward(stream, decoder.newCache(states.length()), ActivationListener.NONE);
                    states.write(window, stream);
                }
                MappedWeights.release(config, source, layer);
            }
            return Optional.of(meanSquares(OutputHead.load(config, source), states, config.hiddenSize()));
        }
    }

    private static double[] meanSquares(OutputHead head, HiddenStates states, int width) {
        double[] sums = new double[width];
        for (int window = 0; window < states.count(); window++) {
            ResidualStream stream = states.read(window);
            float[] normed = head.normalize(stream.hidden(), stream.tokens());
            for (int i = 0; i < stream.tokens() * width; i++) {
                sums[i % width] += (double) normed[i] * normed[i];
            }
        }
        for (int channel = 0; channel < width; channel++) {
            sums[channel] /= (double) states.count() * states.length();
        }
        return sums;
    }
}
