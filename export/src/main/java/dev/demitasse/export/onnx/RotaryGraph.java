package dev.demitasse.export.onnx;

import static dev.demitasse.export.onnx.GraphBuilder.attribute;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.RopeScaling;
import dev.demitasse.model.onnx.OnnxNames;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Rotary positions. What layers with the same ones share is computed once: the cosines and sines of the tokens' angles.
 *
 * <p>Where frequencies depend on the sequence's length, it is each row's highest position plus one, and keys must be
 * cached before they are turned, as all of them turn otherwise once the length has grown.
 *
 * <p>Shapes: B batch, S new tokens, T = past + S, d the dimensions that rotate.
 */
final class RotaryGraph {
    private static final String SCOPE = "/rotary";

    private final GraphBuilder graph;
    private final Map<Rotary, String> names = new HashMap<>();
    private final Map<Rotary, Optional<String>> frequenciesByLength = new HashMap<>();
    private final Map<Rotary, Table> tokens = new HashMap<>();
    private final Map<Rotary, Table> all = new HashMap<>();

    RotaryGraph(GraphBuilder graph) {
        this.graph = graph;
    }

    /** Cosines and sines, of a shape that is multiplied with {@code [.., .., .., d / 2]}. */
    record Table(Rotary rotary, String cosine, String sine) {}

    /** Whether keys are turned only after they were cached. */
    boolean turnsCachedKeys(Rotary rotary) {
        return frequenciesByLength(rotary).isPresent();
    }

    /** Of the tokens' positions, {@code [B, S, 1, d / 2]}. */
    Table tokens(Rotary rotary) {
        return tokens.computeIfAbsent(rotary, each -> table(each, floats(OnnxNames.POSITION_IDS), graph.longs(2, 3)));
    }

    /** Of the positions of all that is cached, {@code [B, 1, T, d / 2]}: how many tokens stand before each. */
    Table all(Rotary rotary) {
        return all.computeIfAbsent(rotary, each -> {
            String count = graph.node(SCOPE, "CumSum", OnnxNames.ATTENTION_MASK, graph.scalar(1L));
            String positions = graph.node(SCOPE, "Sub", count, graph.scalar(1L));
            return table(each, floats(positions), graph.longs(1, 3));
        });
    }

    private Table table(Rotary rotary, String positions, String newAxes) {
        String column = graph.node(SCOPE, "Unsqueeze", positions, newAxes);
        String frequencies =
                frequenciesByLength(rotary).orElseGet(() -> constant(rotary, "frequencies", rotary.frequencies(1)));
        String angles = graph.node(SCOPE, "Mul", column, frequencies);
        double factor = rotary.scaling().attentionFactor();
        return new Table(
                rotary,
                graph.times(SCOPE, graph.node(SCOPE, "Cos", angles), factor),
                graph.times(SCOPE, graph.node(SCOPE, "Sin", angles), factor));
    }

    /** {@code [B, 1, 1, d / 2]}, or nothing where the same serve every length. */
    private Optional<String> frequenciesByLength(Rotary rotary) {
        return frequenciesByLength.computeIfAbsent(rotary, each -> switch (each.scaling()) {
            case RopeScaling.None none -> Optional.empty();
            case RopeScaling.Linear linear -> Optional.empty();
            case RopeScaling.Llama3 llama3 -> Optional.empty();
            case RopeScaling.Factors factors -> Optional.empty();
            case RopeScaling.Yarn yarn -> Optional.empty();
            case RopeScaling.LongRope rope -> Optional.of(longRope(each, rope));
            case RopeScaling.Dynamic dynamic -> Optional.of(dynamic(each, dynamic));
        });
    }

    private String longRope(Rotary rotary, RopeScaling.LongRope rope) {
        int original = rope.originalMaximumPositions();
        String isLong = graph.node(SCOPE, "Greater", length(), graph.scalar((long) original));
        String longer = constant(rotary, "long", rotary.frequencies(Math.addExact(original, 1)));
        String shorter = constant(rotary, "short", rotary.frequencies(original));
        return graph.node(SCOPE, "Where", isLong, longer, shorter);
    }

    /**
     * (base · r^(d / (d − 2)))^(−2i / d) = base^(−2i / d) · r^(−2i / (d − 2)), r = factor · length / original −
     * (factor − 1), which is 1 at the original length.
     */
    private String dynamic(Rotary rotary, RopeScaling.Dynamic scaling) {
        double original = scaling.originalMaximumPositions();
        String beyond = graph.node(SCOPE, "Max", floats(length()), graph.scalar((float) original));
        String stretched = graph.times(SCOPE, beyond, scaling.factor() / original);
        String ratio = graph.node(SCOPE, "Sub", stretched, graph.scalar((float) (scaling.factor() - 1)));
        double[] exponents = new double[rotary.dimensions() / 2];
        for (int pair = 0; pair < exponents.length; pair++) {
            exponents[pair] = -2.0 * pair / (rotary.dimensions() - 2);
        }
        String growth = graph.node(SCOPE, "Pow", ratio, constant(rotary, "exponents", exponents));
        double[] unscaled = rotary.frequencies(scaling.originalMaximumPositions());
        return graph.node(SCOPE, "Mul", growth, constant(rotary, "frequencies", unscaled));
    }

    /** Of each row's sequence, int64 {@code [B, 1, 1, 1]}. */
    private String length() {
        String last = graph.node(SCOPE, "ReduceMax", attribute("keepdims", 1L), OnnxNames.POSITION_IDS, graph.longs(1));
        String length = graph.node(SCOPE, "Add", last, graph.scalar(1L));
        return graph.node(SCOPE, "Unsqueeze", length, graph.longs(2, 3));
    }

    private String floats(String integers) {
        return graph.node(SCOPE, "Cast", attribute("to", DataType.FLOAT.getNumber()), integers);
    }

    private String constant(Rotary rotary, String what, double[] values) {
        String name = names.computeIfAbsent(rotary, missing -> "rotary." + names.size());
        return graph.floats(name + "." + what, values, values.length);
    }

    /**
     * Turns the first d of each head's dimensions. Interleaved pairs come out as halves: products of queries with keys
     * are the same, if both are turned here.
     *
     * @param value {@code [.., .., .., width]}
     */
    String turn(String scope, String value, Table table, int width) {
        long rotated = table.rotary.dimensions();
        List<String> pairs = switch (table.rotary.pairing()) {
            case HALVES -> {
                long half = rotated / 2;
                String sizes = width == rotated ? graph.longs(half, half) : graph.longs(half, half, width - rotated);
                yield graph.node(
                        scope, "Split", List.of(attribute("axis", 3L)), width == rotated ? 2 : 3, value, sizes);
            }
            case INTERLEAVED -> interleaved(scope, value, rotated, width);
        };
        String first = pairs.get(0);
        String second = pairs.get(1);
        List<String> parts = new ArrayList<>();
        parts.add(graph.node(
                scope,
                "Sub",
                graph.node(scope, "Mul", first, table.cosine),
                graph.node(scope, "Mul", second, table.sine)));
        parts.add(graph.node(
                scope,
                "Add",
                graph.node(scope, "Mul", second, table.cosine),
                graph.node(scope, "Mul", first, table.sine)));
        parts.addAll(pairs.subList(2, pairs.size()));
        return graph.node(scope, "Concat", attribute("axis", 3L), parts.toArray(String[]::new));
    }

    private List<String> interleaved(String scope, String value, long rotated, int width) {
        List<String> parts = new ArrayList<>();
        parts.add(slice(scope, value, 0, rotated, 2));
        parts.add(slice(scope, value, 1, rotated, 2));
        if (width > rotated) {
            parts.add(slice(scope, value, rotated, width, 1));
        }
        return parts;
    }

    private String slice(String scope, String value, long from, long to, long step) {
        return graph.node(scope, "Slice", value, graph.longs(from), graph.longs(to), graph.longs(3), graph.longs(step));
    }
}
