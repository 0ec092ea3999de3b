package dev.demitasse.quantize.smooth;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Attention;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A decoder layer whose weights have taken up the spread of its activations, while it computes the same: what multiplies
 * the columns of a projection divides what feeds it.
 *
 * <ul>
 *   <li>attention norm → q, k, v and feed-forward norm → gate, up (of every expert, and the router), as in the paper;
 *   <li>v → attention output: attention mixes positions, never channels, so that v's rows can be divided. Query heads that
 *       share a key/value head share its factors, from the largest of their ranges;
 *   <li>up → down: the product with the activated gate is linear in up, so that up's rows can be divided.
 * </ul>
 *
 * The last two are not in the paper, which leaves these inputs as they are.
 */
public final class SmoothedLayer {
    /** Whose outputs each last projection of a feed-forward block reads. */
    private static final Map<Role, Role> UP_OF =
            Map.of(Role.DOWN, Role.UP, Role.EXPERT_DOWN, Role.EXPERT_UP, Role.SHARED_DOWN, Role.SHARED_UP);

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
        smoothed.fromNorms(range);
        TensorKey output = TensorKey.weight(Role.ATTENTION_OUTPUT, layer);
        if (config.attention(layer).clip().isEmpty()) {
            range.of(output).ifPresent(smoothed::fromValue);
        }
        for (TensorKey down : config.layerTensors(layer)) {
            if (down.part() == Part.WEIGHT && UP_OF.containsKey(down.role())) {
                range.of(down).ifPresent(seen -> smoothed.fromUp(down, seen));
            }
        }
        return smoothed.tensors();
    }

    /** The norms before the blocks, where there are any and no residual stream reads them too. */
    private void fromNorms(ActivationRange range) {
        List<TensorKey> attention = readers(Role.QUERY, Role.KEY, Role.VALUE);
        List<TensorKey> feedForward = readers(
                Role.GATE,
                Role.UP,
                Role.ROUTER,
                Role.EXPERT_GATE,
                Role.EXPERT_UP,
                Role.SHARED_ROUTER,
                Role.SHARED_GATE,
                Role.SHARED_UP);
        float[] attentionInput = seen(range, attention);
        float[] feedForwardInput = seen(range, feedForward);
        switch (config.residual()) {
            case PRE_NORM, SANDWICH_NORM, PARALLEL_TWO_NORMS -> {
                fromNorm(Role.ATTENTION_NORM, attention, attentionInput);
                fromNorm(Role.FEED_FORWARD_NORM, feedForward, feedForwardInput);
            }
            case PARALLEL -> {
                List<TensorKey> all = new ArrayList<>(attention);
                all.addAll(feedForward);
                fromNorm(Role.ATTENTION_NORM, all, attentionInput);
            }
            case POST_NORM, OUTPUT_NORM -> {}
        }
    }

    private List<TensorKey> readers(Role... roles) {
        return config.layerTensors(layer).stream()
                .filter(key -> key.part() == Part.WEIGHT && List.of(roles).contains(key.role()))
                .toList();
    }

    /** What the readers of one input have seen of it, all together. */
    private float[] seen(ActivationRange range, List<TensorKey> readers) {
        float[] largest = new float[config.hiddenSize()];
        for (TensorKey reader : readers) {
            range.of(reader).ifPresent(channels -> {
                for (int i = 0; i < largest.length; i++) {
                    largest[i] = Math.max(largest[i], channels[i]);
                }
            });
        }
        return largest;
    }

    private void fromNorm(Role norm, List<TensorKey> readers, float[] range) {
        TensorKey key = TensorKey.weight(norm, layer);
        if (!config.has(key)) {
            return;
        }
        float[] largest = new float[range.length];
        readers.stream()
                .filter(reader -> reader.role().projection())
                .forEach(reader -> addColumnMaxima(part(reader), largest));
        float[] factors = SmoothQuant.factors(range, largest, alpha);
        divideNorm(key, factors);
        readers.forEach(reader -> multiplyColumns(part(reader), factors));
    }

    private void divideNorm(TensorKey key, float[] factors) {
        float[] weight = part(key).values();
        // A weight stored less 1 is divided as a whole.
        float offset = config.norm(key).unitOffset() ? 1 : 0;
        for (int i = 0; i < weight.length; i++) {
            weight[i] = (weight[i] + offset) / factors[i] - offset;
        }
        if (config.hasBias(key)) {
            divide(part(key.part(Part.BIAS)), factors);
        }
    }

    private void fromValue(float[] range) {
        Attention attention = config.attention(layer);
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
        divideOutputs(TensorKey.weight(Role.VALUE, layer), factors);
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

    private void fromUp(TensorKey down, float[] range) {
        TensorKey up = new TensorKey(
                Optional.ofNullable(UP_OF.get(down.role())).orElseThrow(), Part.WEIGHT, layer, down.expert());
        boolean linear = up.role() != Role.UP || config.feedForward(layer).gated();
        if (!linear) {
            return;
        }
        float[] largest = new float[range.length];
        addColumnMaxima(part(down), largest);
        float[] factors = SmoothQuant.factors(range, largest, alpha);
        divideOutputs(up, factors);
        multiplyColumns(part(down), factors);
    }

    private void divideOutputs(TensorKey key, float[] factors) {
        Matrix weight = part(key);
        for (int row = 0; row < weight.rows(); row++) {
            for (int column = 0; column < weight.columns(); column++) {
                weight.values()[row * weight.columns() + column] /= factors[row];
            }
        }
        if (config.hasBias(key)) {
            divide(part(key.part(Part.BIAS)), factors);
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
