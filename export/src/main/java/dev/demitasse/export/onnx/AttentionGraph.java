package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.model.Attention;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.onnx.OnnxNames;
import java.util.Collections;
import java.util.List;

/**
 * Grouped-query attention over a cache. The query heads that share a key/value head are stacked along the sequence, so
 * that keys and values are never repeated.
 *
 * <p>Shapes: B batch, S new tokens, T = past + S, N query heads, K key/value heads, G = N / K, D head dimension.
 */
final class AttentionGraph {
    private static final String SCOPE = "/attention";

    private final GraphBuilder graph;
    private final Attention attention;
    private final Rotary rotary;
    private final String mask;
    private final String cosine;
    private final String sine;

    /** Adds what all layers share: the mask, and the cosines and sines of the tokens' positions. */
    AttentionGraph(GraphBuilder graph, ModelConfig config) {
        this.graph = graph;
        this.attention = config.attention();
        this.rotary = switch (config.positions()) {
            case Rotary positions -> positions;
            case Positions.None none -> throw new IllegalArgumentException("no positions");
            case Positions.Alibi alibi -> throw new IllegalArgumentException("alibi");
        };
        this.mask = mask();
        String angles = angles();
        this.cosine = graph.node(SCOPE, "Cos", angles);
        this.sine = graph.node(SCOPE, "Sin", angles);
    }

    /** position · frequency, {@code [B, S, 1, dimensions / 2]}. */
    private String angles() {
        double[] exact = rotary.frequencies(1);
        float[] frequencies = new float[exact.length];
        for (int i = 0; i < exact.length; i++) {
            frequencies[i] = (float) exact[i];
        }
        String positions =
                graph.node(SCOPE, "Cast", attribute("to", DataType.FLOAT.getNumber()), OnnxNames.POSITION_IDS);
        String column = graph.node(SCOPE, "Unsqueeze", positions, graph.longs(2, 3));
        return graph.node(SCOPE, "Mul", column, graph.floats("rotary.frequencies", frequencies, frequencies.length));
    }

    /** 0 where a query sees a key and the least float where not, {@code [B, 1, G·S, T]}. */
    private String mask() {
        String total = length(OnnxNames.ATTENTION_MASK);
        String past = graph.node(SCOPE, "Sub", total, length(OnnxNames.INPUT_IDS));
        String keys = graph.node(SCOPE, "Range", graph.scalar(0L), total, graph.scalar(1L));
        String positions = graph.node(SCOPE, "Range", past, total, graph.scalar(1L));
        String queries = graph.node(SCOPE, "Unsqueeze", positions, graph.longs(1));
        String visible = graph.node(SCOPE, "LessOrEqual", keys, queries);
        if (attention.slidingWindow() != Attention.FULL) {
            String end = graph.node(SCOPE, "Add", keys, graph.scalar((long) attention.slidingWindow()));
            visible = graph.node(SCOPE, "And", visible, graph.node(SCOPE, "Greater", end, queries));
        }
        String tokens = graph.node(SCOPE, "Cast", attribute("to", DataType.BOOL.getNumber()), OnnxNames.ATTENTION_MASK);
        String token = graph.node(SCOPE, "Unsqueeze", tokens, graph.longs(1, 2));
        String allowed = graph.node(SCOPE, "And", visible, token);
        String bias = graph.node(SCOPE, "Where", allowed, graph.scalar(0f), graph.scalar(-Float.MAX_VALUE));
        if (attention.groupSize() == 1) {
            return bias;
        }
        String[] copies = Collections.nCopies(attention.groupSize(), bias).toArray(String[]::new);
        return graph.node(SCOPE, "Concat", attribute("axis", 2L), copies);
    }

    /** Length of the second dimension, without dimensions of its own. */
    private String length(String value) {
        String shape = graph.node(SCOPE, "Shape", List.of(attribute("start", 1L), attribute("end", 2L)), 1, value)
                .getFirst();
        return graph.node(SCOPE, "Squeeze", shape, graph.longs(0));
    }

    /**
     * One layer's attention.
     *
     * @param query {@code [B, S, N·D]}
     * @param key {@code [B, S, K·D]}
     * @param value {@code [B, S, K·D]}
     * @return the heads' outputs side by side, {@code [B, S, N·D]}
     */
    String apply(String scope, int layer, String query, String key, String value) {
        int heads = attention.heads();
        int keyValueHeads = attention.keyValueHeads();
        int width = attention.headDimension();
        String turned = heads(scope, rotate(scope, split(scope, query, heads)));
        String scaled = graph.node(scope, "Mul", turned, graph.scalar((float) (1 / Math.sqrt(width))));
        String stacked = graph.node(scope, "Reshape", scaled, graph.longs(0, keyValueHeads, -1, width));
        String keys = append(
                scope,
                OnnxNames.pastKey(layer),
                heads(scope, rotate(scope, split(scope, key, keyValueHeads))),
                OnnxNames.presentKey(layer));
        String values = append(
                scope,
                OnnxNames.pastValue(layer),
                heads(scope, split(scope, value, keyValueHeads)),
                OnnxNames.presentValue(layer));
        String columns = graph.node(scope, "Transpose", attribute("perm", 0L, 1L, 3L, 2L), keys);
        String scores = graph.node(scope, "MatMul", stacked, columns);
        String masked = graph.node(scope, "Add", scores, mask);
        String shares = graph.node(scope, "Softmax", attribute("axis", -1L), masked);
        String context = graph.node(scope, "MatMul", shares, values);
        String unstacked = graph.node(scope, "Reshape", context, graph.longs(0, heads, -1, width));
        String side = graph.node(scope, "Transpose", attribute("perm", 0L, 2L, 1L, 3L), unstacked);
        return graph.node(scope, "Reshape", side, graph.longs(0, 0, attention.queryWidth()));
    }

    /** {@code [B, S, n·D]} to {@code [B, S, n, D]}. */
    private String split(String scope, String value, int heads) {
        return graph.node(scope, "Reshape", value, graph.longs(0, 0, heads, attention.headDimension()));
    }

    /** {@code [B, S, n, D]} to {@code [B, n, S, D]}. */
    private String heads(String scope, String value) {
        return graph.node(scope, "Transpose", attribute("perm", 0L, 2L, 1L, 3L), value);
    }

    /** Turns dimensions i and i + dimensions/2 of each head by the angle of pair i. */
    private String rotate(String scope, String value) {
        long half = rotary.dimensions() / 2;
        long rest = attention.headDimension() - rotary.dimensions();
        String sizes = rest == 0 ? graph.longs(half, half) : graph.longs(half, half, rest);
        List<String> parts =
                graph.node(scope, "Split", List.of(attribute("axis", 3L)), rest == 0 ? 2 : 3, value, sizes);
        String first = parts.get(0);
        String second = parts.get(1);
        String left = graph.node(
                scope, "Sub", graph.node(scope, "Mul", first, cosine), graph.node(scope, "Mul", second, sine));
        String right = graph.node(
                scope, "Add", graph.node(scope, "Mul", second, cosine), graph.node(scope, "Mul", first, sine));
        return rest == 0
                ? graph.node(scope, "Concat", attribute("axis", 3L), left, right)
                : graph.node(scope, "Concat", attribute("axis", 3L), left, right, parts.get(2));
    }

    /** Past and new keys (or values), {@code [B, K, T, D]}, which the graph also puts out. */
    private String append(String scope, String past, String fresh, String present) {
        graph.input(past, DataType.FLOAT, "batch", attention.keyValueHeads(), "past", attention.headDimension());
        String all = graph.node(scope, "Concat", attribute("axis", 2L), past, fresh);
        graph.output(
                all, present, DataType.FLOAT, "batch", attention.keyValueHeads(), "total", attention.headDimension());
        return all;
    }
}
