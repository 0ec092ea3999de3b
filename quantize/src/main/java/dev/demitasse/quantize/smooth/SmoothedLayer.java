package dev.demitasse.quantize.smooth;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Attention;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A decoder layer whose weights have taken up the spread of its activations, while it computes the same: what multiplies
 * the columns of a projection divides what feeds it.
 *
 * <ul>
 *   <li>attention norm → q, k, v and feed-forward norm → gate, up, as in the paper;
 *   <li>v → attention output: attention mixes positions, never channels, so that v's rows can be divided. Query heads that
 *       share a key/value head share its factors, from the largest of their ranges;
 *   <li>up → down: the product with the activated gate is linear in up, so that up's rows can be divided.
 * </ul>
 *
 * The last two are not in the paper, which leaves these inputs as they are.
 */
public final class SmoothedLayer {
    private final ModelConfig config;
    private final WeightSource source;
    private final int layer;
    private final double alpha;
    private final Map<TensorKey, Matrix> weights = new HashMap<>();

    private SmoothedLayer(ModelConfig config, WeightSource source, int layer, double alpha) {
        this.config = config;
        this.source = source;
        this.layer = layer;
        this.alpha = alpha;
    }

    /** The tensors of layer {@code layer} that change, in float32. */
    public static Map<TensorKey, Tensor> smooth(
            ModelConfig config, WeightSource source, int layer, ActivationRange range, double alpha) {
        SmoothedLayer smoothed = new SmoothedLayer(config, source, layer, alpha);
        smoothed.fromNorm(Role.ATTENTION_NORM, List.of(Role.QUERY, Role.KEY, Role.VALUE), range.of(Role.QUERY));
        smoothed.fromNorm(Role.FEED_FORWARD_NORM, List.of(Role.GATE, Role.UP), range.of(Role.GATE));
        smoothed.fromValue(range.of(Role.ATTENTION_OUTPUT));
        smoothed.fromUp(range.of(Role.DOWN));
        return smoothed.tensors();
    }

    private void fromNorm(Role norm, List<Role> readers, float[] range) {
        float[] largest = new float[range.length];
        readers.forEach(role -> addColumnMaxima(weight(role), largest));
        float[] factors = SmoothQuant.factors(range, largest, alpha);
        switch (config.norm()) {
            case Norm.Rms rms -> divide(weight(norm), factors);
            case Norm.Layer layered -> throw new IllegalArgumentException("layer norm");
        }
        readers.forEach(role -> multiplyColumns(weight(role), factors));
    }

    private void fromValue(float[] range) {
        Attention attention = config.attention();
        float[] columns = new float[range.length];
        addColumnMaxima(weight(Role.ATTENTION_OUTPUT), columns);
        float[] shared = new float[attention.keyValueWidth()];
        float[] largest = new float[shared.length];
        for (int channel = 0; channel < range.length; channel++) {
            int row = valueRow(attention, channel);
            shared[row] = Math.max(shared[row], range[channel]);
            largest[row] = Math.max(largest[row], columns[channel]);
        }
        float[] factors = SmoothQuant.factors(shared, largest, alpha);
        divideOutputs(Role.VALUE, factors);
        float[] repeated = new float[range.length];
        for (int channel = 0; channel < range.length; channel++) {
            repeated[channel] = factors[valueRow(attention, channel)];
        }
        multiplyColumns(weight(Role.ATTENTION_OUTPUT), repeated);
    }

    /** The row of v that feeds input channel {@code channel} of the attention output. */
    private static int valueRow(Attention attention, int channel) {
        int dimension = attention.headDimension();
        return channel / dimension / attention.groupSize() * dimension + channel % dimension;
    }

    private void fromUp(float[] range) {
        float[] largest = new float[range.length];
        addColumnMaxima(weight(Role.DOWN), largest);
        float[] factors = SmoothQuant.factors(range, largest, alpha);
        divideOutputs(Role.UP, factors);
        multiplyColumns(weight(Role.DOWN), factors);
    }

    private void divideOutputs(Role role, float[] factors) {
        Matrix weight = weight(role);
        for (int row = 0; row < weight.rows(); row++) {
            for (int column = 0; column < weight.columns(); column++) {
                weight.values()[row * weight.columns() + column] /= factors[row];
            }
        }
        if (config.hasBias(TensorKey.weight(role, layer))) {
            divide(part(TensorKey.bias(role, layer)), factors);
        }
    }

    private Matrix weight(Role role) {
        return part(TensorKey.weight(role, layer));
    }

    private Matrix part(TensorKey key) {
        return weights.computeIfAbsent(key, wanted -> Matrix.of(source.tensor(wanted)));
    }

    private static void addColumnMaxima(Matrix weight, float[] largest) {
        for (int i = 0; i < weight.values().length; i++) {
            int column = i % weight.columns();
            largest[column] = Math.max(largest[column], Math.abs(weight.values()[i]));
        }
    }

    private static void multiplyColumns(Matrix weight, float[] factors) {
        for (int i = 0; i < weight.values().length; i++) {
            weight.values()[i] *= factors[i % weight.columns()];
        }
    }

    private static void divide(Matrix vector, float[] factors) {
        for (int i = 0; i < vector.values().length; i++) {
            vector.values()[i] /= factors[i];
        }
    }

    private Map<TensorKey, Tensor> tensors() {
        Map<TensorKey, Tensor> tensors = new HashMap<>();
        weights.forEach((key, matrix) -> {
            long[] shape = key.part() == Part.WEIGHT && key.role().matrix()
                    ? new long[] {matrix.rows(), matrix.columns()}
                    : new long[] {matrix.values().length};
            tensors.put(key, Tensor.ofFloats(source.tensor(key).name(), matrix.values(), shape));
        });
        return tensors;
    }
}
