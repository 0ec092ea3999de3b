package dev.demitasse.export.onnx;

import dev.demitasse.model.FeedForward.Activation;

/** Non-linearities, of operators that every runtime has; several know these patterns and fuse them. */
final class ActivationGraph {
    private static final double CUBIC = 0.044715;

    private ActivationGraph() {}

    static String apply(GraphBuilder graph, String scope, Activation activation, String value) {
        return switch (activation) {
            case SILU -> graph.node(scope, "Mul", value, graph.node(scope, "Sigmoid", value));
            case RELU -> graph.node(scope, "Relu", value);
            case GELU -> {
                String scaled = graph.node(scope, "Div", value, graph.scalar((float) Math.sqrt(2)));
                yield half(graph, scope, value, graph.node(scope, "Erf", scaled));
            }
            case GELU_TANH -> {
                String square = graph.node(scope, "Mul", value, value);
                String cube = graph.node(scope, "Mul", square, value);
                String sum = graph.node(scope, "Add", value, graph.times(scope, cube, CUBIC));
                String scaled = graph.times(scope, sum, Math.sqrt(2 / Math.PI));
                yield half(graph, scope, value, graph.node(scope, "Tanh", scaled));
            }
        };
    }

    /** value/2 · (1 + bend). */
    private static String half(GraphBuilder graph, String scope, String value, String bend) {
        String share = graph.node(scope, "Add", bend, graph.scalar(1f));
        return graph.times(scope, graph.node(scope, "Mul", value, share), 0.5);
    }
}
