package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.model.Attention;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.QueryKeyNorm;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.onnx.OnnxNames;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Grouped-query attention over a cache. The query heads that share a key/value head are stacked along the sequence, so
 * that keys and values are never repeated.
 *
 * <p>Shapes: B batch, S new tokens, T = past + S, N query heads, K key/value heads, G = N / K, D head dimension.
 */
final class AttentionGraph {
    private final GraphBuilder graph;
    private final LinearGraph linear;
    private final NormGraph norm;
    private final ModelConfig config;
    private final MaskGraph masks;
    private final RotaryGraph rotary;
    private final Map<Integer, String> groupedShapes = new HashMap<>();

    AttentionGraph(GraphBuilder graph, LinearGraph linear, NormGraph norm, ModelConfig config) {
        this.graph = graph;
        this.linear = linear;
        this.norm = norm;
        this.config = config;
        this.masks = new MaskGraph(graph);
        this.rotary = new RotaryGraph(graph);
    }

    /**
     * One layer's attention.
     *
     * @param input {@code [B, S, H]}
     * @return {@code [B, S, H]}
     */
    String apply(String scope, int layer, LinearGraph.Input input) {
        Attention attention = config.attention(layer);
        String query = project(scope + "/query", layer, Role.QUERY, input);
        String key = project(scope + "/key", layer, Role.KEY, input);
        String value = split(scope, layer, Role.VALUE, project(scope + "/value", layer, Role.VALUE, input));
        query = clip(scope + "/query", layer, normSplit(scope + "/query", layer, Role.QUERY, Role.QUERY_NORM, query));
        key = clip(scope + "/key", layer, normSplit(scope + "/key", layer, Role.KEY, Role.KEY_NORM, key));
        value = clip(scope + "/value", layer, value);
        Optional<Rotary> positions = rotary(layer);
        if (positions.isPresent()) {
            RotaryGraph.Table table = rotary.table(positions.get());
            query = rotary.turn(scope, query, table, attention.headDimension());
            key = rotary.turn(scope, key, table, attention.headDimension());
        }
        String keys =
                append(scope, attention, OnnxNames.pastKey(layer), heads(scope, key), OnnxNames.presentKey(layer));
        String values = append(
                scope, attention, OnnxNames.pastValue(layer), heads(scope, value), OnnxNames.presentValue(layer));
        String context = attend(scope, layer, heads(scope, query), keys, values);
        String output = scope + "/output";
        return linear.apply(
                output, new LinearGraph.Input(output, context), TensorKey.weight(Role.ATTENTION_OUTPUT, layer));
    }

    private Optional<Rotary> rotary(int layer) {
        return switch (config.positions(layer)) {
            case Rotary positions -> Optional.of(positions);
            case Positions.Alibi alibi -> Optional.empty();
            case Positions.None none -> Optional.empty();
        };
    }

    private String project(String scope, int layer, Role role, LinearGraph.Input input) {
        return linear.apply(scope, input, TensorKey.weight(role, layer));
    }

    /** Cut to the bound, where there is one: what has been normalized already, as in OLMoE. */
    private String clip(String scope, int layer, String value) {
        if (config.attention(layer).clip().isEmpty()) {
            return value;
        }
        float bound = (float) config.attention(layer).clip().getAsDouble();
        return graph.node(scope, "Clip", value, graph.scalar(-bound), graph.scalar(bound));
    }

    /** {@code [B, S, n·D]} to {@code [B, S, n, D]}, normalized before or after. */
    private String normSplit(String scope, int layer, Role role, Role normRole, String value) {
        Optional<QueryKeyNorm> wanted = config.attention(layer).queryKeyNorm();
        if (wanted.isEmpty()) {
            return split(scope, layer, role, value);
        }
        TensorKey key = TensorKey.weight(normRole, layer);
        return switch (wanted.get().scope()) {
            case ALL_HEADS -> split(scope, layer, role, norm.apply(scope + "/norm", value, key));
            case HEAD, EACH_HEAD -> norm.apply(scope + "/norm", split(scope, layer, role, value), key);
        };
    }

    /** {@code [B, S, n·D]} to {@code [B, S, n, D]}. */
    private String split(String scope, int layer, Role role, String value) {
        Attention attention = config.attention(layer);
        int heads = role == Role.QUERY ? attention.heads() : attention.keyValueHeads();
        return graph.node(scope, "Reshape", value, graph.longs(0, 0, heads, attention.headDimension()));
    }

    /** {@code [B, S, n, D]} to {@code [B, n, S, D]}, and back. */
    private String heads(String scope, String value) {
        return graph.node(scope, "Transpose", attribute("perm", 0L, 2L, 1L, 3L), value);
    }

    /**
     * @param query {@code [B, N, S, D]}
     * @param keys {@code [B, K, T, D]}
     * @param values {@code [B, K, T, D]}
     * @return the heads' outputs side by side, {@code [B, S, N·D]}
     */
    private String attend(String scope, int layer, String query, String keys, String values) {
        Attention attention = config.attention(layer);
        int width = attention.headDimension();
        // A soft cap is of scores already scaled.
        double cap = attention.softCap().orElse(1);
        String scaled = graph.times(scope, query, attention.scale() / cap);
        String stacked = graph.node(scope, "Reshape", scaled, graph.longs(0, attention.keyValueHeads(), -1, width));
        String columns = graph.node(scope, "Transpose", attribute("perm", 0L, 1L, 3L, 2L), keys);
        String scores = graph.node(scope, "MatMul", stacked, columns);
        if (attention.softCap().isPresent()) {
            scores = graph.times(scope, graph.node(scope, "Tanh", scores), cap);
        }
        String shares = shares(scope, layer, scores);
        String context = graph.node(scope, "MatMul", shares, values);
        String unstacked = graph.node(scope, "Reshape", context, graph.longs(0, attention.heads(), -1, width));
        return graph.node(scope, "Reshape", heads(scope, unstacked), graph.longs(0, 0, attention.queryWidth()));
    }

    /** The softmax of {@code scores [B, K, G·S, T]}, taken apart into G and S only to add the mask. */
    private String shares(String scope, int layer, String scores) {
        Attention attention = config.attention(layer);
        String mask = masks.apply(attention, config.positions(layer));
        int group = attention.groupSize();
        String apart = group == 1 ? scores : graph.node(scope, "Reshape", scores, groupedShape(group));
        String masked = graph.node(scope, "Add", apart, mask);
        String shares = graph.node(scope, "Softmax", attribute("axis", -1L), masked);
        return group == 1 ? shares : graph.node(scope, "Reshape", shares, graph.node(scope, "Shape", scores));
    }

    /** B, K, G, S, T for a reshape of {@code [B, K, G·S, T]}. */
    private String groupedShape(int group) {
        return groupedShapes.computeIfAbsent(
                group,
                size -> graph.node(
                        "/attention", "Concat", attribute("axis", 0L), graph.longs(0, 0, size, -1), masks.total()));
    }

    /** Past and new keys (or values), {@code [B, K, T, D]}, which the graph also puts out. */
    private String append(String scope, Attention attention, String past, String fresh, String present) {
        int heads = attention.keyValueHeads();
        int width = attention.headDimension();
        graph.input(past, DataType.FLOAT, "batch", heads, "past", width);
        String all = graph.node(scope, "Concat", attribute("axis", 2L), past, fresh);
        graph.output(all, present, DataType.FLOAT, "batch", heads, "total", width);
        return all;
    }
}
