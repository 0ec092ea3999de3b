package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Alibi;
import dev.demitasse.model.onnx.OnnxNames;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

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
    private record Key(int window, Optional<Slopes> slopes, int groupSize) {}

    /** Of {@code heads} query heads, whose attention has {@code scale}. */
    private record Slopes(Alibi alibi, int heads, double scale) {}

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
        Optional<Slopes> slopes = switch (positions) {
            case Alibi alibi -> Optional.of(new Slopes(alibi, attention.heads(), attention.scale()));
            case Positions.Rotary rotary -> Optional.empty();
            case Positions.None none -> Optional.empty();
        };
        int grouping = attention.groupSize() == 1 ? 1 : slopes.isEmpty() ? 2 : attention.groupSize();
        return masks.computeIfAbsent(new Key(attention.slidingWindow(), slopes, grouping), this::mask);
    }

    private String mask(Key key) {
        String visible = graph.node(SCOPE, "LessOrEqual", keys, queries);
        if (key.window != Attention.FULL) {
            String end = graph.node(SCOPE, "Add", keys, graph.scalar((long) key.window));
            visible = graph.node(SCOPE, "And", visible, graph.node(SCOPE, "Greater", end, queries));
        }
        String axes = key.groupSize == 1 ? graph.longs(1, 2) : graph.longs(1, 2, 3);
        String allowed = graph.node(SCOPE, "And", visible, graph.node(SCOPE, "Unsqueeze", tokens, axes));
        String bias = key.slopes.isEmpty() ? graph.scalar(0f) : bias(key.slopes.get(), key.groupSize);
        return graph.node(SCOPE, "Where", allowed, bias, graph.scalar(-Float.MAX_VALUE));
    }

    /**
     * {@link Alibi#bias}, {@code [K, S, T]} or {@code [K, G, S, T]}. Distances count places in the sequence: padding on the
     * left shifts queries and keys alike.
     */
    private String bias(Slopes slopes, int groupSize) {
        int heads = slopes.heads;
        long[] shape = groupSize == 1 ? new long[] {heads, 1, 1} : new long[] {heads / groupSize, groupSize, 1, 1};
        String values =
                graph.floats("slopes." + masks.size() + Arrays.toString(shape), slopes.alibi.slopes(heads), shape);
        if (!slopes.alibi.scaled()) {
            return graph.node(SCOPE, "Mul", real(graph.node(SCOPE, "Sub", keys, queries)), values);
        }
        String slope = rounded(values);
        String ofKeys = rounded(graph.node(SCOPE, "Mul", rounded(real(keys)), slope));
        String ofQueries = rounded(graph.node(SCOPE, "Mul", rounded(real(queries)), slope));
        String difference = graph.node(SCOPE, "Sub", ofKeys, ofQueries);
        return graph.node(SCOPE, "Mul", difference, graph.scalar((float) slopes.scale));
    }

    private String real(String value) {
        return graph.node(SCOPE, "Cast", attribute("to", DataType.FLOAT.getNumber()), value);
    }

    /** To bfloat16 and back. */
    private String rounded(String value) {
        return real(graph.node(SCOPE, "Cast", attribute("to", DataType.BFLOAT16.getNumber()), value));
    }
}
