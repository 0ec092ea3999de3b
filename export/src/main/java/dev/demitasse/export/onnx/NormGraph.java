package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import java.util.Arrays;
import java.util.List;

/** Norms over the last dimension. */
final class NormGraph {
    private final GraphBuilder graph;
    private final GraphWeights weights;
    private final ModelConfig config;

    NormGraph(GraphBuilder graph, GraphWeights weights) {
        this.graph = graph;
        this.weights = weights;
        this.config = weights.config();
    }

    /**
     * The norm whose weight is {@code key}.
     *
     * @param value {@code [.., n]} for weights {@code [n]}, {@code [.., heads, D]} for weights {@code [heads, D]}
     */
    String apply(String scope, String value, TensorKey key) {
        return switch (config.norm(key)) {
            case Norm.Rms rms ->
                graph.node(scope, "Mul", unitRoot(scope, value, rms.epsilon()), weights.normWeight(scope, key));
            case Norm.Layer layer -> layerNorm(scope, value, key, layer);
        };
    }

    /** x / sqrt(mean(x²) + ε), of primitive operators, which runtimes fuse and every runtime has. */
    private String unitRoot(String scope, String value, double epsilon) {
        String squares = graph.node(scope, "Mul", value, value);
        String mean = graph.node(scope, "ReduceMean", attribute("keepdims", 1L), squares, graph.longs(-1));
        String shifted = graph.node(scope, "Add", mean, graph.scalar((float) epsilon));
        return graph.node(scope, "Div", value, graph.node(scope, "Sqrt", shifted));
    }

    /** The operator takes weight and bias as vectors; those of each head's own are applied after it. */
    private String layerNorm(String scope, String value, TensorKey key, Norm.Layer norm) {
        long[] shape = config.shape(key);
        boolean vector = shape.length == 1;
        String weight = norm.weight() ? weights.normWeight(scope, key) : "";
        String bias = norm.bias() ? weights.vector(key.part(Part.BIAS)) : "";
        boolean weighted = vector && !weight.isEmpty();
        String scale = weighted ? weight : ones(shape[shape.length - 1]);
        String[] inputs = vector && !bias.isEmpty() ? new String[] {value, scale, bias} : new String[] {value, scale};
        String normed = graph.node(
                        scope,
                        "LayerNormalization",
                        List.of(attribute("axis", -1L), attribute("epsilon", norm.epsilon())),
                        1,
                        inputs)
                .getFirst();
        if (vector) {
            return normed;
        }
        String scaled = weight.isEmpty() ? normed : graph.node(scope, "Mul", normed, weight);
        return bias.isEmpty() ? scaled : graph.node(scope, "Add", scaled, bias);
    }

    private String ones(long count) {
        float[] values = new float[Math.toIntExact(count)];
        Arrays.fill(values, 1);
        return graph.floats("ones[" + count + "]", values, count);
    }
}
