package dev.demitasse.model.packed;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * What AutoAWQ writes as version "gemm" (AutoAWQ, awq/modules/linear/gemm.py, {@code from_linear}): {@code qweight [in, out /
 * 8]} and {@code qzeros [groups, out / 8]}, eight outputs of 4 bits to an integer in the order 0, 2, 4, 6, 1, 3, 5, 7;
 * {@code scales [groups, out]} in float16.
 */
public record AwqLayout() implements GroupLayout {
    private static final String CODES = "qweight";
    private static final String ZEROS = "qzeros";
    private static final String SCALES = "scales";
    private static final int BITS = 4;
    private static final int PER_INT = Integer.SIZE / BITS;
    /** At which place of an integer each of eight outputs stands. */
    private static final int[] PLACES = {0, 4, 1, 5, 2, 6, 3, 7};

    @Override
    public String mark() {
        return CODES;
    }

    /** Inputs are never out of order. */
    @Override
    public String order() {
        return "g_idx";
    }

    private static int place(int row) {
        return row / PER_INT * PER_INT + PLACES[row % PER_INT];
    }

    @Override
    public Map<String, Part> parts(Sizes sizes, boolean symmetric) {
        if (sizes.bits() != BITS || sizes.rows() % PER_INT != 0) {
            throw new IllegalArgumentException("AWQ does not hold " + sizes);
        }
        Map<String, Part> parts = new LinkedHashMap<>();
        parts.put(CODES, new Part(ScalarFormat.I32, sizes.columns(), sizes.rows() / PER_INT));
        parts.put(ZEROS, new Part(ScalarFormat.I32, sizes.groups(), sizes.rows() / PER_INT));
        parts.put(SCALES, new Part(ScalarFormat.F16, sizes.groups(), sizes.rows()));
        return parts;
    }

    @Override
    public Map<String, Tensor> pack(GroupedCodes weight) {
        Map<String, Tensor> tensors = PackedLayout.allocate(parts(weight.sizes(), weight.symmetric()));
        PackedInts codes = PackedInts.rows(GroupedCodes.part(tensors, CODES), BITS);
        IntStream.range(0, weight.columns()).parallel().forEach(column -> {
            for (int row = 0; row < weight.rows(); row++) {
                codes.set(column, place(row), weight.code(row, column));
            }
        });
        PackedInts zeros = PackedInts.rows(GroupedCodes.part(tensors, ZEROS), BITS);
        float[] scales = new float[weight.rows()];
        for (int group = 0; group < weight.groups(); group++) {
            for (int row = 0; row < weight.rows(); row++) {
                zeros.set(group, place(row), weight.zero(row, group));
                scales[row] = weight.scale(row, group);
            }
            GroupedCodes.part(tensors, SCALES).writeRow(group, scales, 0);
        }
        return tensors;
    }

    @Override
    public Sizes sizes(ModuleParts module, int rows, int columns) {
        module.matrix(CODES, columns, Math.ceilDiv(rows, PER_INT), ScalarFormat.I32);
        Tensor scales = module.scales(SCALES, -1, rows);
        int groups = module.groups(SCALES, scales.shape()[0], columns);
        module.matrix(ZEROS, groups, Math.ceilDiv(rows, PER_INT), ScalarFormat.I32);
        return new Sizes(rows, columns, BITS, groups);
    }

    @Override
    public byte[] zeros(ModuleParts module, Sizes sizes) {
        PackedInts stored = PackedInts.rows(module.matrix(ZEROS, -1, -1, ScalarFormat.I32), BITS);
        byte[] zeros = new byte[sizes.rows() * sizes.groups()];
        for (int row = 0; row < sizes.rows(); row++) {
            for (int group = 0; group < sizes.groups(); group++) {
                zeros[row * sizes.groups() + group] = (byte) stored.get(group, place(row));
            }
        }
        return zeros;
    }

    @Override
    public void unpack(ModuleParts module, GroupedCodes into) {
        PackedInts codes = PackedInts.rows(module.matrix(CODES, -1, -1, ScalarFormat.I32), BITS);
        IntStream.range(0, into.rows()).parallel().forEach(row -> {
            for (int column = 0; column < into.columns(); column++) {
                into.setCode(row, column, codes.get(column, place(row)));
            }
        });
        Tensor scales = module.scales(SCALES, -1, -1);
        float[] values = new float[into.rows()];
        for (int group = 0; group < into.groups(); group++) {
            scales.readRow(group, values, 0);
            for (int row = 0; row < values.length; row++) {
                into.setScale(row, group, values[row]);
            }
        }
    }
}
