package dev.demitasse.prune;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.progress.Progress;
import java.util.Arrays;

/**
 * Ranks the parts of a model by its weights alone (the magnitude baseline of LLM-Pruner, Ma et al., arXiv:2305.11627
 *, taken over the coupled rows and columns of a part).
 *
 * <p>A part's scale is the product of its factors' L2 norms, so that a part one of whose factors is zero, which
 * contributes nothing, scores 0:
 * <ul>
 *   <li>neuron i: ‖gate[i,:]‖ · ‖up[i,:]‖ · ‖down[:,i]‖, rows with their biases; without gate if there is none
 *   <li>key/value head g: Σ over its query heads h of ‖v[g]‖ · ‖o[:,h]‖ (q and k only direct attention)
 *   <li>layer: the norm of all that it writes to the residual stream, √(‖o‖² + ‖down‖²)
 *   <li>channel c of the residual stream: the norm of all that is written to it, √(‖embedding[:,c]‖² + Σ over layers
 *       ‖o[c,:]‖² + ‖down[c,:]‖²); its square stands in for the channel's energy as well
 * </ul>
 */
final class MagnitudeImportance {
    private MagnitudeImportance() {}

    /** Reads every weight once, row by row. */
    static Scores measure(Checkpoint source, Progress progress) {
        ModelConfig config = source.config();
        double[][] neurons = new double[config.layers()][];
        double[][] groups = new double[config.layers()][];
        double[] layers = new double[config.layers()];
        double[] written = columnSquares(source.tensor(TensorKey.weight(Role.EMBEDDING)));
        progress.begin("weigh the model's parts", config.layers(), "layers");
        for (int layer = 0; layer < config.layers(); layer++) {
            Attention attention = config.attention(layer);
            Tensor output = source.tensor(TensorKey.weight(Role.ATTENTION_OUTPUT, layer));
            double[] values = rowSquares(source, TensorKey.weight(Role.VALUE, layer));
            double[] outputColumns = columnSquares(output);
            int width = attention.headDimension();
            groups[layer] = new double[attention.keyValueHeads()];
            for (int head = 0; head < attention.heads(); head++) {
                int group = head / attention.groupSize();
                groups[layer][group] +=
                        Math.sqrt(sum(values, group * width, width) * sum(outputColumns, head * width, width));
            }
            double[] fed = feedForward(source, layer, neurons);
            layers[layer] = Math.sqrt(
                    Arrays.stream(outputColumns).sum() + Arrays.stream(fed).sum());
            add(written, rowSquares(source, TensorKey.weight(Role.ATTENTION_OUTPUT, layer)));
            add(written, fed);
            progress.advance(1);
        }
        progress.end();
        double[][] energy = new double[2 * config.layers() + 1][];
        Arrays.fill(energy, written);
        double[] channels = Arrays.stream(written).map(Math::sqrt).toArray();
        return new Scores(neurons, groups, layers, channels, energy);
    }

    /** Scores the layer's neurons; gives the sum of squares of what it writes to each channel, over all experts. */
    private static double[] feedForward(Checkpoint source, int layer, double[][] neurons) {
        ModelConfig config = source.config();
        double[] fed = new double[config.hiddenSize()];
        neurons[layer] = new double[config.feedForward(layer).intermediateSize()];
        for (TensorKey key : config.layerTensors(layer)) {
            boolean writes =
                    key.role() == Role.DOWN || key.role() == Role.EXPERT_DOWN || key.role() == Role.SHARED_DOWN;
            if (writes && key.part() == Part.WEIGHT) {
                add(fed, rowSquares(source, key));
            }
        }
        if (config.has(TensorKey.weight(Role.DOWN, layer))) {
            double[] down = columnSquares(source.tensor(TensorKey.weight(Role.DOWN, layer)));
            double[] up = rowSquares(source, TensorKey.weight(Role.UP, layer));
            boolean gated = config.feedForward(layer).gated();
            double[] gate = gated ? rowSquares(source, TensorKey.weight(Role.GATE, layer)) : up;
            for (int i = 0; i < down.length; i++) {
                double into = gated ? Math.sqrt(gate[i]) * Math.sqrt(up[i]) : Math.sqrt(up[i]);
                neurons[layer][i] = into * Math.sqrt(down[i]);
            }
        }
        return fed;
    }

    /** Sum of squares of each row of the module's weight, its bias included, {@code [out]}. */
    private static double[] rowSquares(Checkpoint source, TensorKey key) {
        Tensor weight = source.tensor(key);
        double[] squares = new double[weight.rows()];
        float[] row = new float[weight.columns()];
        for (int i = 0; i < squares.length; i++) {
            weight.readRow(i, row, 0);
            for (float value : row) {
                squares[i] += (double) value * value;
            }
        }
        if (source.config().hasBias(key)) {
            float[] bias = source.tensor(key.part(Part.BIAS)).toFloats();
            for (int i = 0; i < squares.length; i++) {
                squares[i] += (double) bias[i] * bias[i];
            }
        }
        return squares;
    }

    /** Sum of squares of each column, {@code [in]}. */
    private static double[] columnSquares(Tensor weight) {
        double[] squares = new double[weight.columns()];
        float[] row = new float[weight.columns()];
        for (int i = 0; i < weight.rows(); i++) {
            weight.readRow(i, row, 0);
            for (int j = 0; j < row.length; j++) {
                squares[j] += (double) row[j] * row[j];
            }
        }
        return squares;
    }

    private static double sum(double[] values, int from, int count) {
        double sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += values[i];
        }
        return sum;
    }

    private static void add(double[] target, double[] source) {
        for (int i = 0; i < target.length; i++) {
            target[i] += source[i];
        }
    }
}
