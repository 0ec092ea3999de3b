package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.List;

/**
 * A mixture of experts in which each computes only for the tokens routed to it. Rows of the input are gathered in the
 * order of their experts, each expert multiplies its run of them, and every token takes its rows out of the result.
 *
 * <p>Shapes: M = B·S tokens, E experts, U of them used by a token, R = M·U rows, H the residual stream's width.
 */
final class ExpertsGraph {
    private final GraphBuilder graph;
    private final LinearGraph linear;
    private final ModelConfig config;

    ExpertsGraph(GraphBuilder graph, LinearGraph linear, ModelConfig config) {
        this.graph = graph;
        this.linear = linear;
        this.config = config;
    }

    /**
     * @param experts which each token uses, {@code [M, U]}
     * @param shares what their outputs are weighted by, {@code [M, U]}
     */
    private record Routes(String experts, String shares) {}

    /**
     * @param tokens which token each row is, {@code [R]}: those of expert 0 first
     * @param counts how many rows each expert has, {@code [E]}
     * @param places in which rows a token's experts compute for it, {@code [M, U]}
     */
    private record Rows(String tokens, String counts, String places) {}

    /** {@code [B, S, H]} to {@code [B, S, H]}. */
    String apply(String scope, int layer, LinearGraph.Input input) {
        FeedForward block = config.feedForward(layer);
        Experts mixture = block.experts().orElseThrow();
        Routes routes = route(scope + "/router", layer, input, mixture);
        Rows rows = order(scope + "/order", routes, mixture.count());
        String flat = graph.node(scope, "Reshape", input.value(), graph.longs(-1, config.hiddenSize()));
        String sorted = graph.node(scope, "Gather", flat, rows.tokens);
        LinearGraph.Runs runs = linear.runs(scope, sorted, rows.counts, mixture.count());
        String gate = linear.apply(scope + "/gate", runs, TensorKey.expert(Role.EXPERT_GATE, layer, 0));
        String up = linear.apply(scope + "/up", runs, TensorKey.expert(Role.EXPERT_UP, layer, 0));
        String product = graph.node(scope, "Mul", ActivationGraph.apply(graph, scope, block.activation(), gate), up);
        String lowered = scope + "/down";
        LinearGraph.Runs products = linear.runs(lowered, product, rows.counts, mixture.count());
        String outputs = linear.apply(lowered, products, TensorKey.expert(Role.EXPERT_DOWN, layer, 0));
        String taken = graph.node(scope, "Gather", outputs, rows.places);
        String weighted =
                graph.node(scope, "MatMul", graph.node(scope, "Unsqueeze", routes.shares, graph.longs(1)), taken);
        return graph.node(scope, "Reshape", weighted, graph.node(scope, "Shape", input.value()));
    }

    private Routes route(String scope, int layer, LinearGraph.Input input, Experts mixture) {
        String scores = linear.apply(scope, input, TensorKey.weight(Role.ROUTER, layer));
        String flat = graph.node(scope, "Reshape", scores, graph.longs(-1, mixture.count()));
        String shares = graph.node(scope, "Softmax", attribute("axis", -1L), flat);
        List<String> best = graph.node(scope, "TopK", List.of(), 2, shares, graph.longs(mixture.used()));
        if (!mixture.normalized()) {
            return new Routes(best.get(1), best.get(0));
        }
        String sum = graph.node(scope, "ReduceSum", attribute("keepdims", 1L), best.get(0), graph.longs(-1));
        return new Routes(best.get(1), graph.node(scope, "Div", best.get(0), sum));
    }

    private Rows order(String scope, Routes routes, int count) {
        // used [M, E]: 1 where a token uses an expert.
        String chosen = graph.node(
                scope, "OneHot", attribute("axis", -1L), routes.experts, graph.scalar((long) count), graph.longs(0, 1));
        String used = graph.node(scope, "ReduceSum", attribute("keepdims", 0L), chosen, graph.longs(1));
        String counts = graph.node(scope, "ReduceSum", attribute("keepdims", 0L), used, graph.longs(0));
        String byExpert = graph.node(scope, "Transpose", attribute("perm", 1L, 0L), used);
        // Row-major, so the tokens of expert 0 come first, and an expert's in their order.
        String found = graph.node(scope, "NonZero", byExpert);
        String tokens = graph.node(scope, "Gather", attribute("axis", 0L), found, graph.scalar(1L));
        String starts = before(scope, counts);
        String ranks = before(scope, used);
        String all = graph.node(scope, "Add", ranks, starts);
        String places = graph.node(scope, "GatherElements", attribute("axis", 1L), all, routes.experts);
        return new Rows(tokens, counts, places);
    }

    /** The sum of all before each, along the first dimension. */
    private String before(String scope, String counts) {
        return graph.node(scope, "CumSum", attribute("exclusive", 1L), counts, graph.scalar(0L));
    }
}
