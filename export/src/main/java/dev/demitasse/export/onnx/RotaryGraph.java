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

/**
 * Rotary positions. What layers with the same ones share is computed once: the cosines and sines of the tokens' angles.
 *
 * <p>Where frequencies depend on the sequence's length, it is each row's highest position plus one. Keys that were cached
 * keep the turn they had: a caller that wants what one pass over the longer sequence gives runs it from its start when
 * {@link RopeScaling#lengthClass} changes.
 *
 * <p>Shapes: B batch, S new tokens, d the dimensions that rotate.
 */
final class RotaryGraph {
    private static final String SCOPE = "/rotary";

    private final GraphBuilder graph;
    private final Map<Rotary, String> names = new HashMap<>();
    private final Map<Rotary, Table> tables = new HashMap<>();

    RotaryGraph(GraphBuilder graph) {
        this.graph = graph;
    }

    /** Cosines and sines of the tokens' positions, {@code [B, S, 1, d / 2]}. */
    record Table(Rotary rotary, String cosine, String sine) {}

    Table table(Rotary rotary) {
        return tables.computeIfAbsent(rotary, this::compute);
    }

    private Table compute(Rotary rotary) {
        String column = graph.node(SCOPE, "Unsqueeze", floats(OnnxNames.POSITION_IDS), graph.longs(2, 3));
        String frequencies = frequencies(rotary);
        String angles = graph.node(SCOPE, "Mul", column, frequencies);
        double factor = rotary.scaling().attentionFactor();
        return new Table(
                rotary,
                graph.times(SCOPE, graph.node(SCOPE, "Cos", angles), factor),
                graph.times(SCOPE, graph.node(SCOPE, "Sin", angles), factor));
    }

    /** {@code [d / 2]}, or {@code [B, 1, 1, d / 2]} where they depend on the length. */
    private String frequencies(Rotary rotary) {
        return switch (rotary.scaling()) {
            case RopeScaling.None none -> fixed(rotary);
            case RopeScaling.Linear linear -> fixed(rotary);
            case RopeScaling.Llama3 llama3 -> fixed(rotary);
            case RopeScaling.Factors factors -> fixed(rotary);
            case RopeScaling.Yarn yarn -> fixed(rotary);
            case RopeScaling.LongRope rope -> longRope(rotary, rope);
            case RopeScaling.Dynamic dynamic -> dynamic(rotary, dynamic);
        };
    }

    private String fixed(Rotary rotary) {
        return constant(rotary, "frequencies", rotary.frequencies(1));
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
        return graph.node(SCOPE, "Mul", growth, fixed(rotary));
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
     * @param value {@code [B, S, heads, width]}
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
