package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Alibi;
import dev.demitasse.model.onnx.OnnxNames;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;

/**
 * What is added to scores: 0, or a bias that falls with the distance, where a query sees a key, and the least float where
 * not. Computed once for all layers that see alike.
 *
 * <p>Shapes: B batch, S new tokens, T = past + S, K key/value heads, G query heads for each.
 */
final class MaskGraph {
    private static final String SCOPE = "/mask";

    private final GraphBuilder graph;
    private final Map<Key, String> masks = new HashMap<>();
    private final String total;
    private final String keys;
    private final String queries;
    private final String tokens;

    /**
     * @param slopes of the bias, for each query head; none without bias
     * @param groupSize G
     */
    private record Key(int window, List<Double> slopes, int groupSize) {}

    MaskGraph(GraphBuilder graph) {
        this.graph = graph;
        this.total = graph.dimension(SCOPE, OnnxNames.ATTENTION_MASK, 1);
        String end = graph.node(SCOPE, "Squeeze", total, graph.longs(0));
        String fresh = graph.node(SCOPE, "Squeeze", graph.dimension(SCOPE, OnnxNames.INPUT_IDS, 1), graph.longs(0));
        String past = graph.node(SCOPE, "Sub", end, fresh);
        this.keys = graph.node(SCOPE, "Range", graph.scalar(0L), end, graph.scalar(1L));
        String places = graph.node(SCOPE, "Range", past, end, graph.scalar(1L));
        this.queries = graph.node(SCOPE, "Unsqueeze", places, graph.longs(1));
        this.tokens = graph.node(SCOPE, "Cast", attribute("to", DataType.BOOL.getNumber()), OnnxNames.ATTENTION_MASK);
    }

    /** T, as a vector of one. */
    String total() {
        return total;
    }

    /**
     * The mask of a layer: {@code [B, 1 or K, S, T]} where G is 1, else {@code [B, 1 or K, 1 or G, S, T]}.
     *
     * @param positions how they enter it
     */
    String apply(Attention attention, Positions positions) {
        List<Double> slopes = switch (positions) {
            case Alibi alibi -> slopes(attention, alibi);
            case Positions.Rotary rotary -> List.of();
            case Positions.None none -> List.of();
        };
        int grouping = attention.groupSize() == 1 ? 1 : slopes.isEmpty() ? 2 : attention.groupSize();
        return masks.computeIfAbsent(new Key(attention.slidingWindow(), slopes, grouping), this::mask);
    }

    private static List<Double> slopes(Attention attention, Alibi alibi) {
        double factor = alibi.scaled() ? attention.scale() : 1;
        return DoubleStream.of(alibi.slopes(attention.heads()))
                .map(slope -> slope * factor)
                .boxed()
                .toList();
    }

    private String mask(Key key) {
        String visible = graph.node(SCOPE, "LessOrEqual", keys, queries);
        if (key.window != Attention.FULL) {
            String end = graph.node(SCOPE, "Add", keys, graph.scalar((long) key.window));
            visible = graph.node(SCOPE, "And", visible, graph.node(SCOPE, "Greater", end, queries));
        }
        String axes = key.groupSize == 1 ? graph.longs(1, 2) : graph.longs(1, 2, 3);
        String allowed = graph.node(SCOPE, "And", visible, graph.node(SCOPE, "Unsqueeze", tokens, axes));
        String bias = key.slopes.isEmpty() ? graph.scalar(0f) : bias(key);
        return graph.node(SCOPE, "Where", allowed, bias, graph.scalar(-Float.MAX_VALUE));
    }

    /**
     * −slope · distance, {@code [K, S, T]} or {@code [K, G, S, T]}. Distances count places in the sequence: padding on the
     * left shifts queries and keys alike.
     */
    private String bias(Key key) {
        double[] falls = key.slopes.stream().mapToDouble(slope -> -slope).toArray();
        int heads = falls.length;
        long[] shape =
                key.groupSize == 1 ? new long[] {heads, 1, 1} : new long[] {heads / key.groupSize, key.groupSize, 1, 1};
        String name = "slopes." + masks.size() + Arrays.toString(shape);
        String distance = graph.node(
                SCOPE, "Cast", attribute("to", DataType.FLOAT.getNumber()), graph.node(SCOPE, "Sub", queries, keys));
        return graph.node(SCOPE, "Mul", distance, graph.floats(name, falls, shape));
    }
}
