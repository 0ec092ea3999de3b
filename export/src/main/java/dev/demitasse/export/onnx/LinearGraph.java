package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import java.util.List;
import java.util.Optional;

/**
 * Linear projections, y = xWᵀ + b. A float weight is a MatMul. An INT8 weight is multiplied in integers: x is quantized
 * to unsigned bytes on the fly (DynamicQuantizeLinear, one scale and zero point for the whole of x), MatMulInteger sums
 * products of codes in int32, and the sum is scaled by x's scale times each output's.
 */
final class LinearGraph {
    private final GraphBuilder graph;
    private final GraphWeights weights;

    LinearGraph(GraphBuilder graph, GraphWeights weights) {
        this.graph = graph;
        this.weights = weights;
    }

    /** What one or several projections share: their input, quantized at most once. */
    static final class Input {
        private final String scope;
        private final String value;
        private Optional<List<String>> quantized = Optional.empty();

        Input(String scope, String value) {
            this.scope = scope;
            this.value = value;
        }

        /** Codes, scale, zero point. */
        private List<String> quantized(GraphBuilder graph) {
            if (quantized.isEmpty()) {
                quantized = Optional.of(graph.node(scope, "DynamicQuantizeLinear", List.of(), 3, value));
            }
            return quantized.get();
        }
    }

    /** The projection of {@code key}'s module. */
    String apply(String scope, Input input, TensorKey key) {
        String product = multiply(scope, input, key, weights.transposed(key));
        return weights.config().hasBias(key)
                ? graph.node(scope, "Add", product, weights.vector(key.part(Part.BIAS)))
                : product;
    }

    /** Logits: by the head, or by the embedding where that is the head too; stored once, turned in the graph. */
    String head(String scope, Input input) {
        if (!weights.config().tiedHead()) {
            return apply(scope, input, TensorKey.weight(Role.HEAD));
        }
        TensorKey embedding = TensorKey.weight(Role.EMBEDDING);
        String turned = graph.node(scope, "Transpose", attribute("perm", 1L, 0L), weights.rows(embedding));
        return multiply(scope, input, embedding, turned);
    }

    private String multiply(String scope, Input input, TensorKey key, String matrix) {
        if (!weights.integer(key)) {
            return graph.node(scope, "MatMul", input.value, matrix);
        }
        List<String> quantized = input.quantized(graph);
        String sums = graph.node(scope, "MatMulInteger", quantized.get(0), matrix, quantized.get(2));
        String floats = graph.node(scope, "Cast", attribute("to", DataType.FLOAT.getNumber()), sums);
        String scale = graph.node(scope, "Mul", quantized.get(1), weights.scales(key));
        return graph.node(scope, "Mul", floats, scale);
    }
}
