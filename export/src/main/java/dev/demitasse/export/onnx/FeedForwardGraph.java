package dev.demitasse.export.onnx;

import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.Optional;

/** A layer's feed-forward block: plain, gated, or a mixture of experts. */
final class FeedForwardGraph {
    private final GraphBuilder graph;
    private final LinearGraph linear;
    private final ExpertsGraph experts;
    private final ModelConfig config;

    FeedForwardGraph(GraphBuilder graph, LinearGraph linear, ModelConfig config) {
        this.graph = graph;
        this.linear = linear;
        this.experts = new ExpertsGraph(graph, linear, config);
        this.config = config;
    }

    /** {@code [B, S, H]} to {@code [B, S, H]}. */
    String apply(String scope, int layer, LinearGraph.Input input) {
        FeedForward block = config.feedForward(layer);
        if (block.experts().isEmpty()) {
            Optional<Role> gate = block.gated() ? Optional.of(Role.GATE) : Optional.empty();
            return neurons(scope, layer, input, gate, Role.UP, Role.DOWN);
        }
        Experts mixture = block.experts().get();
        String routed = experts.apply(scope + "/experts", layer, input);
        return mixture.sharedSize() == 0
                ? routed
                : graph.node(scope, "Add", routed, shared(scope + "/shared", layer, input));
    }

    private String neurons(String scope, int layer, LinearGraph.Input input, Optional<Role> gate, Role up, Role down) {
        FeedForward block = config.feedForward(layer);
        String raised = linear.apply(scope + "/up", input, TensorKey.weight(up, layer));
        String active;
        if (gate.isPresent()) {
            String opened = linear.apply(scope + "/gate", input, TensorKey.weight(gate.get(), layer));
            active = graph.node(scope, "Mul", ActivationGraph.apply(graph, scope, block.activation(), opened), raised);
        } else {
            active = ActivationGraph.apply(graph, scope, block.activation(), raised);
        }
        String lowered = scope + "/down";
        return linear.apply(lowered, new LinearGraph.Input(lowered, active), TensorKey.weight(down, layer));
    }

    /** The expert that computes for every token, times the sigmoid of its router. */
    private String shared(String scope, int layer, LinearGraph.Input input) {
        String output = neurons(scope, layer, input, Optional.of(Role.SHARED_GATE), Role.SHARED_UP, Role.SHARED_DOWN);
        String score = linear.apply(scope + "/router", input, TensorKey.weight(Role.SHARED_ROUTER, layer));
        return graph.node(scope, "Mul", output, graph.node(scope, "Sigmoid", score));
    }
}
