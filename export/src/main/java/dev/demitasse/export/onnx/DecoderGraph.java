package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.onnx.OnnxNames;

/**
 * A decoder as a graph of standard ONNX operators: embedding, layers of attention and feed-forward around a residual
 * stream, final norm, head. Inputs and outputs: {@link OnnxNames}.
 */
final class DecoderGraph {
    private final GraphBuilder graph;
    private final GraphWeights weights;
    private final LinearGraph linear;
    private final ModelConfig config;
    private final boolean hiddenStates;

    DecoderGraph(GraphBuilder graph, GraphWeights weights, boolean hiddenStates) {
        this.graph = graph;
        this.weights = weights;
        this.linear = new LinearGraph(graph, weights);
        this.config = weights.config();
        this.hiddenStates = hiddenStates;
    }

    /** Adds everything. */
    void build() {
        graph.input(OnnxNames.INPUT_IDS, DataType.INT64, "batch", "sequence");
        graph.input(OnnxNames.ATTENTION_MASK, DataType.INT64, "batch", "total");
        graph.input(OnnxNames.POSITION_IDS, DataType.INT64, "batch", "sequence");
        AttentionGraph attention = new AttentionGraph(graph, config);
        String hidden = embedding();
        for (int layer = 0; layer < config.layers(); layer++) {
            putOut(hidden, layer);
            hidden = layer(attention, layer, hidden);
        }
        String normed = norm("/norm", hidden, TensorKey.weight(Role.FINAL_NORM));
        putOut(normed, config.layers());
        String logits = linear.head("/head", new LinearGraph.Input("/head", normed));
        graph.output(logits, OnnxNames.LOGITS, DataType.FLOAT, "batch", "sequence", config.vocabularySize());
    }

    private void putOut(String hidden, int index) {
        if (hiddenStates) {
            graph.output(
                    hidden, OnnxNames.hiddenState(index), DataType.FLOAT, "batch", "sequence", config.hiddenSize());
        }
    }

    /** The tokens' rows of the embedding, {@code [B, S, H]}. */
    private String embedding() {
        TensorKey key = TensorKey.weight(Role.EMBEDDING);
        String rows = graph.node("/embedding", "Gather", weights.rows(key), OnnxNames.INPUT_IDS);
        if (!weights.integer(key)) {
            return rows;
        }
        String codes = graph.node("/embedding", "Cast", attribute("to", DataType.FLOAT.getNumber()), rows);
        String scales = graph.node("/embedding", "Gather", weights.scales(key), OnnxNames.INPUT_IDS);
        String column = graph.node("/embedding", "Unsqueeze", scales, graph.longs(2));
        return graph.node("/embedding", "Mul", codes, column);
    }

    private String layer(AttentionGraph attention, int layer, String hidden) {
        String scope = "/layers." + layer;
        String attended = attention(attention, scope + "/attention", layer, hidden);
        String between = graph.node(scope, "Add", hidden, attended);
        return graph.node(scope, "Add", between, feedForward(scope + "/feed_forward", layer, between));
    }

    private String attention(AttentionGraph attention, String scope, int layer, String hidden) {
        String normed = norm(scope + "/norm", hidden, TensorKey.weight(Role.ATTENTION_NORM, layer));
        LinearGraph.Input input = new LinearGraph.Input(scope, normed);
        String context = attention.apply(
                scope,
                layer,
                linear.apply(scope + "/query", input, TensorKey.weight(Role.QUERY, layer)),
                linear.apply(scope + "/key", input, TensorKey.weight(Role.KEY, layer)),
                linear.apply(scope + "/value", input, TensorKey.weight(Role.VALUE, layer)));
        String output = scope + "/output";
        return linear.apply(
                output, new LinearGraph.Input(output, context), TensorKey.weight(Role.ATTENTION_OUTPUT, layer));
    }

    private String feedForward(String scope, int layer, String hidden) {
        String normed = norm(scope + "/norm", hidden, TensorKey.weight(Role.FEED_FORWARD_NORM, layer));
        LinearGraph.Input input = new LinearGraph.Input(scope, normed);
        String gate = linear.apply(scope + "/gate", input, TensorKey.weight(Role.GATE, layer));
        String up = linear.apply(scope + "/up", input, TensorKey.weight(Role.UP, layer));
        String active = switch (config.feedForward().activation()) {
            case SILU -> graph.node(scope, "Mul", gate, graph.node(scope, "Sigmoid", gate));
            case GELU, GELU_TANH, RELU -> throw new IllegalArgumentException("activation");
        };
        String product = graph.node(scope, "Mul", active, up);
        String down = scope + "/down";
        return linear.apply(down, new LinearGraph.Input(down, product), TensorKey.weight(Role.DOWN, layer));
    }

    /** Of primitive operators, which runtimes fuse and every runtime has. */
    private String norm(String scope, String value, TensorKey key) {
        return switch (config.norm()) {
            case Norm.Rms rms -> {
                String squares = graph.node(scope, "Mul", value, value);
                String mean = graph.node(scope, "ReduceMean", attribute("keepdims", 1L), squares, graph.longs(-1));
                String shifted = graph.node(scope, "Add", mean, graph.scalar((float) rms.epsilon()));
                String normed = graph.node(scope, "Div", value, graph.node(scope, "Sqrt", shifted));
                yield graph.node(scope, "Mul", normed, weights.vector(key.part(Part.WEIGHT)));
            }
            case Norm.Layer layer -> throw new IllegalArgumentException("layer norm");
        };
    }
}
