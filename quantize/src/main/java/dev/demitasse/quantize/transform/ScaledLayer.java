package dev.demitasse.quantize.transform;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Attention;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.quantize.matrix.Matrix;
import dev.demitasse.quantize.transform.Factors.Reader;
import dev.demitasse.quantize.transform.Factors.ScaledInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A decoder layer with factors moved from its activations into its weights, while it computes the same: what multiplies the
 * columns of a projection divides what feeds it.
 *
 * <ul>
 *   <li>attention norm → q, k, v and feed-forward norm → gate, up (of every expert, and the router), as in SmoothQuant;
 *   <li>v → attention output: attention mixes positions, never channels, so that v's rows can be divided. Query heads that
 *       share a key/value head share its factors;
 *   <li>up → down: the product with the activated gate is linear in up, so that up's rows can be divided.
 * </ul>
 *
 * The last two are not in SmoothQuant's paper, which leaves these inputs as they are; AWQ's code has them.
 */
public final class ScaledLayer {
    /** Whose outputs each last projection of a feed-forward block reads. */
    private static final Map<Role, Role> UP_OF =
            Map.of(Role.DOWN, Role.UP, Role.EXPERT_DOWN, Role.EXPERT_UP, Role.SHARED_DOWN, Role.SHARED_UP);

    private final ModelConfig config;
    private final WeightSource source;
    private final int layer;
    private final Factors rule;
    private final Map<TensorKey, Matrix> weights = new HashMap<>();

    private ScaledLayer(ModelConfig config, WeightSource source, int layer, Factors rule) {
        this.config = config;
        this.source = source;
        this.layer = layer;
        this.rule = rule;
    }

    /** The tensors of layer {@code layer} that change, in float32. */
    public static Map<TensorKey, Tensor> scale(
            ModelConfig config, WeightSource source, int layer, InputStatistics statistics, Factors rule) {
        ScaledLayer scaled = new ScaledLayer(config, source, layer, rule);
        scaled.fromNorms(statistics);
        TensorKey output = TensorKey.weight(Role.ATTENTION_OUTPUT, layer);
        if (config.attention(layer).clip().isEmpty()) {
            statistics.of(output).ifPresent(scaled::fromValue);
        }
        for (TensorKey down : config.layerTensors(layer)) {
            if (down.part() == Part.WEIGHT && UP_OF.containsKey(down.role())) {
                statistics.of(down).ifPresent(seen -> scaled.fromUp(down, seen));
            }
        }
        return scaled.tensors();
    }

    /** The norms before the blocks, where there are any and no residual stream reads them too. */
    private void fromNorms(InputStatistics statistics) {
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
        switch (config.residual()) {
            case PRE_NORM, SANDWICH_NORM, PARALLEL_TWO_NORMS -> {
                fromNorm(Role.ATTENTION_NORM, attention, statistics);
                fromNorm(Role.FEED_FORWARD_NORM, feedForward, statistics);
            }
            case PARALLEL -> {
                List<TensorKey> all = new ArrayList<>(attention);
                all.addAll(feedForward);
                fromNorm(Role.ATTENTION_NORM, all, statistics);
            }
            case POST_NORM, OUTPUT_NORM -> {}
        }
    }

    private List<TensorKey> readers(Role... roles) {
        return config.layerTensors(layer).stream()
                .filter(key -> key.part() == Part.WEIGHT && List.of(roles).contains(key.role()))
                .toList();
    }

    private void fromNorm(Role norm, List<TensorKey> readers, InputStatistics statistics) {
        TensorKey key = TensorKey.weight(norm, layer);
        // What all of them read is the input of any that was told of; of experts, of those that were sent most.
        Optional<InputStatistics.Input> seen = readers.stream()
                .flatMap(reader -> statistics.of(reader).stream())
                .reduce(InputStatistics.Input::merged);
        if (config.has(key) && seen.isPresent()) {
            int width = config.hiddenSize();
            float[] factors = rule.choose(input(readers, seen.get(), own(width), width));
            divideNorm(key, factors);
            readers.forEach(reader -> multiplyColumns(part(reader), factors));
        }
    }

    private ScaledInput input(List<TensorKey> readers, InputStatistics.Input seen, int[] factorOfChannel, int count) {
        return new ScaledInput(
                readers.stream()
                        .filter(reader -> reader.role().projection())
                        .map(reader -> new Reader(reader, part(reader)))
                        .toList(),
                seen,
                factorOfChannel,
                count);
    }

    private static int[] own(int width) {
        return IntStream.range(0, width).toArray();
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

    private void fromValue(InputStatistics.Input seen) {
        Attention attention = config.attention(layer);
        int channels = attention.heads() * attention.headDimension();
        int[] rows = new int[channels];
        Arrays.setAll(rows, channel -> valueRow(attention, channel));
        TensorKey output = TensorKey.weight(Role.ATTENTION_OUTPUT, layer);
        ScaledInput input = input(List.of(output), seen, rows, attention.keyValueWidth());
        float[] factors = rule.choose(input);
        divideOutputs(TensorKey.weight(Role.VALUE, layer), factors);
        multiplyColumns(part(output), input.spread(factors));
    }

    /** The row of v that feeds input channel {@code channel} of the attention output. */
    private static int valueRow(Attention attention, int channel) {
        int dimension = attention.headDimension();
        return channel / dimension / attention.groupSize() * dimension + channel % dimension;
    }

    private void fromUp(TensorKey down, InputStatistics.Input seen) {
        TensorKey up = new TensorKey(
                Optional.ofNullable(UP_OF.get(down.role())).orElseThrow(), Part.WEIGHT, layer, down.expert());
        boolean linear = up.role() != Role.UP || config.feedForward(layer).gated();
        if (linear) {
            int width = config.columns(down);
            float[] factors = rule.choose(input(List.of(down), seen, own(width), width));
            divideOutputs(up, factors);
            multiplyColumns(part(down), factors);
        }
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

    private Matrix part(TensorKey key) {
        return weights.computeIfAbsent(key, wanted -> Matrix.of(source.tensor(wanted)));
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
