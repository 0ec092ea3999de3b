package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.export.onnx.GraphWeights.Kind;
import dev.demitasse.model.Head;
import dev.demitasse.model.InputEmbedding;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.onnx.OnnxNames;

/**
 * A decoder as a graph of standard ONNX operators: embedding, layers of attention and feed-forward around a residual
 * stream, final norm, head. Inputs and outputs: {@link OnnxNames}.
 */
final class DecoderGraph {
    private final GraphBuilder graph;
    private final GraphWeights weights;
    private final LinearGraph linear;
    private final NormGraph norm;
    private final ModelConfig config;
    private final boolean hiddenStates;

    DecoderGraph(GraphBuilder graph, GraphWeights weights, boolean hiddenStates) {
        this.graph = graph;
        this.weights = weights;
        this.linear = new LinearGraph(graph, weights);
        this.norm = new NormGraph(graph, weights);
        this.config = weights.config();
        this.hiddenStates = hiddenStates;
    }

    /** Adds everything. */
    void build() {
        graph.input(OnnxNames.INPUT_IDS, DataType.INT64, "batch", "sequence");
        graph.input(OnnxNames.ATTENTION_MASK, DataType.INT64, "batch", "total");
        graph.input(OnnxNames.POSITION_IDS, DataType.INT64, "batch", "sequence");
        LayerGraph layers = new LayerGraph(graph, linear, norm, config);
        String hidden = embedding("/embedding");
        for (int layer = 0; layer < config.layers(); layer++) {
            putOut(hidden, layer);
            hidden = layers.apply(layer, hidden);
        }
        String normed = config.head().norm() ? norm.apply("/norm", hidden, TensorKey.weight(Role.FINAL_NORM)) : hidden;
        putOut(normed, config.layers());
        String logits = head("/head", normed);
        graph.output(logits, OnnxNames.LOGITS, DataType.FLOAT, "batch", "sequence", config.vocabularySize());
    }

    private void putOut(String hidden, int index) {
        if (hiddenStates) {
            graph.output(
                    hidden, OnnxNames.hiddenState(index), DataType.FLOAT, "batch", "sequence", config.hiddenSize());
        }
    }

    /** The residual stream before the first layer, {@code [B, S, H]}. */
    private String embedding(String scope) {
        InputEmbedding embedding = config.embedding();
        String rows = rows(scope, TensorKey.weight(Role.EMBEDDING), OnnxNames.INPUT_IDS);
        String hidden = graph.times(scope, rows, embedding.scale());
        TensorKey projection = TensorKey.weight(Role.PROJECT_IN);
        if (config.has(projection)) {
            String project = scope + "/project";
            hidden = linear.apply(project, new LinearGraph.Input(project, hidden), projection);
        }
        TensorKey positions = TensorKey.weight(Role.POSITION_EMBEDDING);
        if (config.has(positions)) {
            String places = embedding.positionOffset() == 0
                    ? OnnxNames.POSITION_IDS
                    : graph.node(scope, "Add", OnnxNames.POSITION_IDS, graph.scalar((long) embedding.positionOffset()));
            hidden = graph.node(scope, "Add", hidden, rows(scope + "/positions", positions, places));
        }
        return embedding.norm() ? norm.apply(scope + "/norm", hidden, TensorKey.weight(Role.EMBEDDING_NORM)) : hidden;
    }

    /** Rows {@code ids} of a table, {@code [B, S, columns]}. */
    private String rows(String scope, TensorKey table, String ids) {
        if (weights.kind(table) == Kind.BLOCKS) {
            return linear.blockRows(scope, table, ids);
        }
        String rows = graph.node(scope, "Gather", weights.rows(table), ids);
        if (weights.kind(table) == Kind.FLOAT) {
            return rows;
        }
        String codes = graph.node(scope, "Cast", attribute("to", DataType.FLOAT.getNumber()), rows);
        String scales = graph.node(scope, "Gather", weights.scales(table), ids);
        return graph.node(scope, "Mul", codes, graph.node(scope, "Unsqueeze", scales, graph.longs(2)));
    }

    /** Logits of the normalized residual stream. */
    private String head(String scope, String normed) {
        Head head = config.head();
        String hidden = normed;
        TensorKey projection = TensorKey.weight(Role.PROJECT_OUT);
        if (config.has(projection)) {
            String project = scope + "/project";
            hidden = linear.apply(project, new LinearGraph.Input(project, hidden), projection);
        }
        // A cap c of scaled logits: c · tanh(scale / c · logit).
        double cap = head.softCap().orElse(1);
        String logits =
                graph.times(scope, linear.head(scope, new LinearGraph.Input(scope, hidden)), head.scale() / cap);
        return head.softCap().isPresent() ? graph.times(scope, graph.node(scope, "Tanh", logits), cap) : logits;
    }
}
