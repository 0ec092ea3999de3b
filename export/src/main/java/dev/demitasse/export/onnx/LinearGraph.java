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

        String value() {
            return value;
        }

        /** Codes, scale, zero point. */
        private List<String> quantized(GraphBuilder graph) {
            if (quantized.isEmpty()) {
                quantized = Optional.of(graph.node(scope, "DynamicQuantizeLinear", List.of(), 3, value));
            }
            return quantized.get();
        }
    }

    /** Rows of which each of several experts has a run, those of expert 0 first. */
    static final class Runs {
        private final Input input;
        private final String counts;
        private final int experts;
        private Optional<List<String>> floats = Optional.empty();
        private Optional<List<String>> codes = Optional.empty();

        private Runs(Input input, String counts, int experts) {
            this.input = input;
            this.counts = counts;
            this.experts = experts;
        }

        private String floats(GraphBuilder graph, int expert) {
            if (floats.isEmpty()) {
                floats = Optional.of(split(graph, input.value));
            }
            return floats.get().get(expert);
        }

        private String codes(GraphBuilder graph, int expert) {
            if (codes.isEmpty()) {
                codes = Optional.of(split(graph, input.quantized(graph).get(0)));
            }
            return codes.get().get(expert);
        }

        private List<String> split(GraphBuilder graph, String rows) {
            return graph.node(input.scope, "Split", List.of(attribute("axis", 0L)), experts, rows, counts);
        }
    }

    /** @param counts how many of {@code rows} each expert has, int64 {@code [experts]} */
    Runs runs(String scope, String rows, String counts, int experts) {
        return new Runs(new Input(scope, rows), counts, experts);
    }

    /** Each expert's projection of its rows; {@code first} is that of expert 0. */
    String apply(String scope, Runs runs, TensorKey first) {
        String[] products = new String[runs.experts];
        for (int expert = 0; expert < runs.experts; expert++) {
            TensorKey key = TensorKey.expert(first.role(), first.layer(), expert);
            String matrix = weights.transposed(key);
            products[expert] = weights.integer(key)
                    ? integerProduct(scope, runs.codes(graph, expert), runs.input, key, matrix)
                    : graph.node(scope, "MatMul", runs.floats(graph, expert), matrix);
        }
        return graph.node(scope, "Concat", attribute("axis", 0L), products);
    }

    /** The projection of {@code key}'s module. */
    String apply(String scope, Input input, TensorKey key) {
        return addBias(scope, multiply(scope, input, key, weights.transposed(key)), key);
    }

    /** Logits: by the head, or by the embedding where that is the head too; stored once, turned in the graph. */
    String head(String scope, Input input) {
        TensorKey head = TensorKey.weight(Role.HEAD);
        if (!weights.config().tiedHead()) {
            return apply(scope, input, head);
        }
        TensorKey embedding = TensorKey.weight(Role.EMBEDDING);
        String turned = graph.node(scope, "Transpose", attribute("perm", 1L, 0L), weights.rows(embedding));
        return addBias(scope, multiply(scope, input, embedding, turned), head);
    }

    private String addBias(String scope, String product, TensorKey key) {
        return weights.config().hasBias(key)
                ? graph.node(scope, "Add", product, weights.vector(key.part(Part.BIAS)))
                : product;
    }

    private String multiply(String scope, Input input, TensorKey key, String matrix) {
        return weights.integer(key)
                ? integerProduct(scope, input.quantized(graph).get(0), input, key, matrix)
                : graph.node(scope, "MatMul", input.value, matrix);
    }

    /** @param codes all of the quantized {@code input}, or some rows */
    private String integerProduct(String scope, String codes, Input input, TensorKey key, String matrix) {
        List<String> quantized = input.quantized(graph);
        String sums = graph.node(scope, "MatMulInteger", codes, matrix, quantized.get(2));
        String floats = graph.node(scope, "Cast", attribute("to", DataType.FLOAT.getNumber()), sums);
        String scale = graph.node(scope, "Mul", quantized.get(1), weights.scales(key));
        return graph.node(scope, "Mul", floats, scale);
    }
}
