package dev.demitasse.prune;

import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.Embedding;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Residual;
import dev.demitasse.model.Role;
import dev.demitasse.model.progress.Progress;

/**
 * Ranks the parts of a model by how strongly they respond to calibration text: Minitron (Muralidharan et al.,
 * arXiv:2407.14679 §2.2), layers by Block Influence (ShortGPT, Men et al., arXiv:2403.03853).
 * <ul>
 *   <li>neuron: |its activation|, the input of the down projection
 *   <li>key/value head: Σ over its query heads of ‖the head's output‖₂, the input of the output projection
 *   <li>channel: |the norms' outputs|, summed over the attention and feed-forward norms of all layers
 *   <li>layer: 1 − cos(what enters it, what leaves it), mean over tokens
 * </ul>
 * Responses are averaged over a window's tokens, then combined over windows by the L2 norm: the aggregation that the
 * paper found best (§2.2).
 *
 * <p>Runs layer by layer over all windows, so that one layer's weights are at work at a time; the hidden states of all
 * windows are kept, {@code windows · length · hidden · 4} bytes.
 */
final class ActivationImportance {
    private final ModelConfig config;
    private final WeightSource weights;
    private final Scores scores;

    private ActivationImportance(Checkpoint source) {
        this.config = source.config();
        this.weights = WeightSource.of(source);
        int layers = config.layers();
        this.scores = new Scores(
                config.blocks().stream()
                        .map(block -> new double[block.feedForward().intermediateSize()])
                        .toArray(double[][]::new),
                config.blocks().stream()
                        .map(block -> new double[block.attention().keyValueHeads()])
                        .toArray(double[][]::new),
                new double[layers],
                new double[config.hiddenSize()],
                new double[2 * layers + 1][config.hiddenSize()]);
    }

    /**
     * @param calibration token ids, {@code [windows, length]}
     * @throws MalformedModelException if an activation is not a number
     */
    static Scores measure(Checkpoint source, int[][] calibration, Progress progress) {
        ActivationImportance measurement = new ActivationImportance(source);
        measurement.run(source, calibration, progress);
        return measurement.scores;
    }

    private void run(Checkpoint source, int[][] calibration, Progress progress) {
        int length = calibration[0].length;
        float[][] hidden = new float[calibration.length][Math.multiplyExact(length, config.hiddenSize())];
        for (int window = 0; window < hidden.length; window++) {
            Embedding.lookup(config, weights, calibration[window], hidden[window]);
        }
        progress.begin("rank the model's parts", (long) config.layers() * hidden.length, "windows");
        for (int layer = 0; layer < config.layers(); layer++) {
            NormWeights attentionNorm = NormWeights.read(config, weights, Role.ATTENTION_NORM, layer);
            // Blocks that stand side by side may share the norm before them.
            NormWeights feedForwardNorm = config.residual() == Residual.PARALLEL
                    ? attentionNorm
                    : NormWeights.read(config, weights, Role.FEED_FORWARD_NORM, layer);
            LayerResponses responses = new LayerResponses(config, scores, layer, attentionNorm, feedForwardNorm);
            DecoderLayer decoder = DecoderLayer.load(config, weights, layer);
            for (float[] window : hidden) {
                float[] before = window.clone();
                decoder.forward(window, length, decoder.newCache(length), responses);
                scores.layers()[layer] += turn(before, window) / hidden.length;
                responses.endWindow();
                progress.advance(1);
            }
            responses.finish();
            if (!Double.isFinite(scores.layers()[layer])) {
                throw new MalformedModelException(
                        source.path(),
                        "activations of layer %d are not finite".formatted(layer),
                        "its weights are broken; fetch the model again");
            }
        }
        for (float[] window : hidden) {
            addEnergy(window, scores.channelEnergy()[scores.finalNorm()]);
        }
        progress.end();
    }

    /** 1 − cos(before, after), mean over tokens; both {@code [tokens, hidden]}. */
    private double turn(float[] before, float[] after) {
        int width = config.hiddenSize();
        int tokens = before.length / width;
        double sum = 0;
        for (int token = 0; token < tokens; token++) {
            double product = 0;
            double first = 0;
            double second = 0;
            for (int i = token * width; i < (token + 1) * width; i++) {
                product += (double) before[i] * after[i];
                first += (double) before[i] * before[i];
                second += (double) after[i] * after[i];
            }
            double scale = Math.sqrt(first) * Math.sqrt(second);
            sum += scale == 0 ? 0 : 1 - product / scale;
        }
        return sum / tokens;
    }

    /** Adds each channel's part of every token's mean square to {@code energy}. */
    private void addEnergy(float[] hidden, double[] energy) {
        int width = config.hiddenSize();
        double epsilon = config.norm().epsilon();
        for (int token = 0; token < hidden.length / width; token++) {
            double squares = 0;
            for (int i = 0; i < width; i++) {
                squares += (double) hidden[token * width + i] * hidden[token * width + i];
            }
            for (int i = 0; i < width; i++) {
                double value = hidden[token * width + i];
                energy[i] += value * value / (squares / width + epsilon);
            }
        }
    }
}
