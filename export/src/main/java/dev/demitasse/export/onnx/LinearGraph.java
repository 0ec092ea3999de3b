package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.export.onnx.GraphWeights.Kind;
import dev.demitasse.model.InputQuantization;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Linear projections, y = xWᵀ + b. A float weight is a MatMul. An INT8 weight is multiplied in integers. Either x is quantized to
 * unsigned bytes on the fly: each token is divided by the largest magnitude of its values, so that none takes another's range
 * (one token's may be hundreds of times larger), DynamicQuantizeLinear gives one scale and zero point to all, MatMulInteger sums
 * products of codes in int32, and the sum is scaled by x's scale times each output's, and by the token's magnitude. Or x is rounded by a fixed scale: QuantizeLinear,
 * DequantizeLinear, then a MatMul by the weight's DequantizeLinear, which runtimes make one product of integers of. A weight of a
 * block format is multiplied as it is by ONNX Runtime's MatMulNBits, in float32.
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
        /** What a token of zeros is divided by. */
        private static final float SMALLEST = 1e-30f;

        private final String scope;
        private final String value;
        private final Map<String, String> rounded = new HashMap<>();
        private Optional<List<String>> quantized = Optional.empty();
        private Optional<String> magnitudes = Optional.empty();

        Input(String scope, String value) {
            this.scope = scope;
            this.value = value;
        }

        String value() {
            return value;
        }

        /** Codes, scale, zero point; they are of {@code value / magnitudes}. */
        private List<String> quantized(GraphBuilder graph) {
            if (quantized.isEmpty()) {
                String divided = graph.node(scope, "Div", value, magnitudes(graph));
                quantized = Optional.of(graph.node(scope, "DynamicQuantizeLinear", List.of(), 3, divided));
            }
            return quantized.get();
        }

        /** The largest magnitude of each token's values, {@code [..., 1]}. */
        private String magnitudes(GraphBuilder graph) {
            if (magnitudes.isEmpty()) {
                String largest = graph.node(scope, "ReduceMax", graph.node(scope, "Abs", value), graph.longs(-1));
                magnitudes = Optional.of(graph.node(scope, "Max", largest, graph.scalar(SMALLEST)));
            }
            return magnitudes.get();
        }

        /** Rounded to codes of a fixed scale and zero point, as floats again. */
        private String rounded(GraphBuilder graph, String scale, String zeroPoint) {
            return rounded.computeIfAbsent(scale, fixed -> {
                String codes = graph.node(scope, "QuantizeLinear", value, fixed, zeroPoint);
                return graph.node(scope, "DequantizeLinear", codes, fixed, zeroPoint);
            });
        }
    }

    /** Rows of which each of several experts has a run, those of expert 0 first. */
    static final class Runs {
        private final Input input;
        private final String counts;
        private final int experts;
        private Optional<List<Input>> floats = Optional.empty();
        private Optional<List<String>> codes = Optional.empty();
        private Optional<List<String>> magnitudes = Optional.empty();

        private Runs(Input input, String counts, int experts) {
            this.input = input;
            this.counts = counts;
            this.experts = experts;
        }

        private Input floats(GraphBuilder graph, int expert) {
            if (floats.isEmpty()) {
                floats = Optional.of(split(graph, input.value).stream()
                        .map(rows -> new Input(input.scope, rows))
                        .toList());
            }
            return floats.get().get(expert);
        }

        private String codes(GraphBuilder graph, int expert) {
            if (codes.isEmpty()) {
                codes = Optional.of(split(graph, input.quantized(graph).get(0)));
            }
            return codes.get().get(expert);
        }

        private String magnitudes(GraphBuilder graph, int expert) {
            if (magnitudes.isEmpty()) {
                magnitudes = Optional.of(split(graph, input.magnitudes(graph)));
            }
            return magnitudes.get().get(expert);
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
            boolean onTheFly =
                    weights.kind(key) == Kind.INTEGER && weights.input(key).isEmpty();
            products[expert] = onTheFly
                    ? integerProduct(
                            scope,
                            runs.codes(graph, expert),
                            runs.magnitudes(graph, expert),
                            runs.input,
                            key,
                            weights.transposed(key))
                    : multiply(scope, runs.floats(graph, expert), key);
        }
        return graph.node(scope, "Concat", attribute("axis", 0L), products);
    }

    /** The projection of {@code key}'s module. */
    String apply(String scope, Input input, TensorKey key) {
        return addBias(scope, multiply(scope, input, key), key);
    }

    /** Logits: by the head, or by the embedding where that is the head too; stored once, turned in the graph. */
    String head(String scope, Input input) {
        TensorKey head = TensorKey.weight(Role.HEAD);
        if (!weights.config().tiedHead()) {
            return apply(scope, input, head);
        }
        TensorKey embedding = TensorKey.weight(Role.EMBEDDING);
        String product = weights.kind(embedding) == Kind.BLOCKS
                ? blockProduct(scope, input.value, embedding)
                : multiply(scope, input, head, embedding, turned(scope, embedding));
        return addBias(scope, product, head);
    }

    private String turned(String scope, TensorKey table) {
        return graph.node(scope, "Transpose", attribute("perm", 1L, 0L), weights.rows(table));
    }

    private String addBias(String scope, String product, TensorKey key) {
        return weights.config().hasBias(key)
                ? graph.node(scope, "Add", product, weights.vector(key.part(Part.BIAS)))
                : product;
    }

    private String multiply(String scope, Input input, TensorKey key) {
        return weights.kind(key) == Kind.BLOCKS
                ? blockProduct(scope, input.value, key)
                : multiply(scope, input, key, key, weights.transposed(key));
    }

    /**
     * By a float or INT8 matrix.
     *
     * @param key of the module
     * @param stored of the weight that {@code matrix [in, out]} is of
     */
    private String multiply(String scope, Input input, TensorKey key, TensorKey stored, String matrix) {
        if (weights.kind(stored) == Kind.FLOAT) {
            return graph.node(scope, "MatMul", input.value, matrix);
        }
        Optional<InputQuantization> fixed = weights.input(key);
        if (fixed.isEmpty()) {
            return integerProduct(scope, input.quantized(graph).get(0), input.magnitudes(graph), input, stored, matrix);
        }
        String rounded =
                input.rounded(graph, weights.inputScale(key, fixed.get()), weights.inputZeroPoint(key, fixed.get()));
        String floats = graph.node(scope, "DequantizeLinear", attribute("axis", 1L), matrix, weights.scales(stored));
        return graph.node(scope, "MatMul", rounded, floats);
    }

    /**
     * @param codes all of the quantized {@code input}, or some rows
     * @param magnitudes of these rows
     */
    private String integerProduct(
            String scope, String codes, String magnitudes, Input input, TensorKey key, String matrix) {
        List<String> quantized = input.quantized(graph);
        String sums = graph.node(scope, "MatMulInteger", codes, matrix, quantized.get(2));
        String floats = graph.node(scope, "Cast", attribute("to", DataType.FLOAT.getNumber()), sums);
        String scale = graph.node(scope, "Mul", quantized.get(1), weights.scales(key));
        return graph.node(scope, "Mul", graph.node(scope, "Mul", floats, scale), magnitudes);
    }

    private String blockProduct(String scope, String value, TensorKey key) {
        GraphWeights.Blocks blocks = weights.blocks(scope, key);
        List<String> inputs = new ArrayList<>(List.of(value, blocks.codes(), blocks.scales()));
        blocks.zeros().ifPresent(inputs::add);
        return graph.contributed(
                scope,
                "MatMulNBits",
                List.of(
                        attribute("K", (long) weights.config().columns(key)),
                        attribute("N", (long) weights.config().rows(key)),
                        attribute("bits", (long) blocks.form().bits()),
                        attribute("block_size", (long) blocks.form().format().blockSize())),
                inputs);
    }

    /** Rows {@code ids} of a table of a block format, as floats. */
    String blockRows(String scope, TensorKey table, String ids) {
        GraphWeights.Blocks blocks = weights.blocks(scope, table);
        // The same codes as the head's where that is tied, row by row.
        String codes = graph.node(scope, "Reshape", blocks.codes(), graph.longs(0, -1));
        List<String> inputs = new ArrayList<>(List.of(codes, ids, blocks.scales()));
        blocks.zeros().ifPresent(inputs::add);
        return graph.contributed(
                scope,
                "GatherBlockQuantized",
                List.of(
                        attribute("bits", (long) blocks.form().bits()),
                        attribute("block_size", (long) blocks.form().format().blockSize()),
                        attribute("gather_axis", 0L),
                        attribute("quantize_axis", 1L)),
                inputs);
    }
}
