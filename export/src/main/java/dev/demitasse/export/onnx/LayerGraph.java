package dev.demitasse.export.onnx;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;

/** Attention, feed-forward block and norms of a layer around the residual stream, as {@code Residual} says. */
final class LayerGraph {
    private final GraphBuilder graph;
    private final NormGraph norm;
    private final AttentionGraph attention;
    private final FeedForwardGraph feedForward;
    private final ModelConfig config;

    LayerGraph(GraphBuilder graph, LinearGraph linear, NormGraph norm, ModelConfig config) {
        this.graph = graph;
        this.norm = norm;
        this.attention = new AttentionGraph(graph, linear, norm, config);
        this.feedForward = new FeedForwardGraph(graph, linear, config);
        this.config = config;
    }

    /** {@code [B, S, H]} to {@code [B, S, H]}. */
    String apply(int layer, String hidden) {
        String scope = "/layers." + layer;
        return switch (config.residual()) {
            case PRE_NORM, SANDWICH_NORM, OUTPUT_NORM -> {
                String between = add(scope, hidden, postNorm(attention(layer, hidden), layer, true));
                yield add(scope, between, postNorm(feedForward(layer, between), layer, false));
            }
            case POST_NORM -> {
                String between = postNorm(add(scope, hidden, attention(layer, hidden)), layer, true);
                yield postNorm(add(scope, between, feedForward(layer, between)), layer, false);
            }
            case PARALLEL -> {
                // Both read the same input, which is then quantized once.
                LinearGraph.Input input = input(scope, layer, Role.ATTENTION_NORM, hidden);
                String attended = attention.apply(scope + "/attention", layer, input);
                String fed = feedForward.apply(scope + "/feed_forward", layer, input);
                yield add(scope, hidden, graph.node(scope, "Add", attended, fed));
            }
            case PARALLEL_TWO_NORMS -> {
                String sum = graph.node(scope, "Add", attention(layer, hidden), feedForward(layer, hidden));
                yield add(scope, hidden, sum);
            }
        };
    }

    /** The residual stream and what a block adds to it. */
    private String add(String scope, String hidden, String output) {
        return graph.node(scope, "Add", hidden, graph.times(scope, output, config.residualScale()));
    }

    private String attention(int layer, String hidden) {
        String scope = "/layers." + layer + "/attention";
        return attention.apply(scope, layer, input(scope, layer, Role.ATTENTION_NORM, hidden));
    }

    private String feedForward(int layer, String hidden) {
        String scope = "/layers." + layer + "/feed_forward";
        return feedForward.apply(scope, layer, input(scope, layer, Role.FEED_FORWARD_NORM, hidden));
    }

    private LinearGraph.Input input(String scope, int layer, Role role, String hidden) {
        String normed = config.residual().has(role)
                ? norm.apply(scope + "/norm", hidden, TensorKey.weight(role, layer))
                : hidden;
        return new LinearGraph.Input(scope, normed);
    }

    private String postNorm(String value, int layer, boolean ofAttention) {
        Role role = ofAttention ? Role.ATTENTION_POST_NORM : Role.FEED_FORWARD_POST_NORM;
        String scope = "/layers." + layer + (ofAttention ? "/attention" : "/feed_forward") + "/post_norm";
        return config.residual().has(role) ? norm.apply(scope, value, TensorKey.weight(role, layer)) : value;
    }
}
