package dev.demitasse.model.packed;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * What AutoGPTQ and GPTQModel write (AutoGPTQ, auto_gptq/nn_modules/qlinear/qlinear_cuda.py, {@code pack}): {@code qweight
 * [in · bits / 32, out]}, codes down each column; {@code qzeros [groups, out · bits / 32]}, zeros along each row; {@code scales
 * [groups, out]} in float16; {@code g_idx [in]}, the group of each input, which is what act-order makes irregular.
 *
 * @param oneLess whether the file holds each zero less 1: {@code checkpoint_format} "gptq" does, "gptq_v2" does not
 */
public record GptqLayout(boolean oneLess) implements GroupLayout {
    private static final String CODES = "qweight";
    private static final String ZEROS = "qzeros";
    private static final String SCALES = "scales";
    private static final String ORDER = "g_idx";

    @Override
    public String mark() {
        return CODES;
    }

    @Override
    public String order() {
        return ORDER;
    }

    @Override
    public Map<String, Part> parts(Sizes sizes, boolean symmetric) {
        Map<String, Part> parts = new LinkedHashMap<>();
        int words = PackedInts.words(sizes.columns(), sizes.bits());
        parts.put(CODES, new Part(ScalarFormat.I32, words, sizes.rows()));
        parts.put(ZEROS, new Part(ScalarFormat.I32, sizes.groups(), PackedInts.words(sizes.rows(), sizes.bits())));
        parts.put(SCALES, new Part(ScalarFormat.F16, sizes.groups(), sizes.rows()));
        parts.put(ORDER, new Part(ScalarFormat.I32, sizes.columns()));
        return parts;
    }

    @Override
    public Map<String, Tensor> pack(GroupedCodes weight) {
        Map<String, Tensor> tensors = PackedLayout.allocate(parts(weight.sizes(), weight.symmetric()));
        int mask = (1 << weight.bits()) - 1;
        PackedInts codes = PackedInts.columns(GroupedCodes.part(tensors, CODES), weight.bits());
        IntStream.range(0, weight.rows()).parallel().forEach(row -> {
            for (int column = 0; column < weight.columns(); column++) {
                codes.set(row, column, weight.code(row, column));
            }
        });
        PackedInts zeros = PackedInts.rows(GroupedCodes.part(tensors, ZEROS), weight.bits());
        float[] scales = new float[weight.rows()];
        for (int group = 0; group < weight.groups(); group++) {
            for (int row = 0; row < weight.rows(); row++) {
                zeros.set(group, row, weight.zero(row, group) - (oneLess ? 1 : 0) & mask);
                scales[row] = weight.scale(row, group);
            }
            GroupedCodes.part(tensors, SCALES).writeRow(group, scales, 0);
        }
        weight.writeOrder(GroupedCodes.part(tensors, ORDER));
        return tensors;
    }

    @Override
    public Sizes sizes(ModuleParts module, int rows, int columns) {
        Tensor codes = module.matrix(CODES, -1, rows, ScalarFormat.I32);
        int bits = module.bits(CODES, codes.shape()[0], columns);
        Tensor scales = module.scales(SCALES, -1, rows);
        int groups = module.groups(SCALES, scales.shape()[0], columns);
        module.matrix(ZEROS, groups, PackedInts.words(rows, bits), ScalarFormat.I32);
        return new Sizes(rows, columns, bits, groups);
    }

    @Override
    public byte[] zeros(ModuleParts module, Sizes sizes) {
        PackedInts stored = PackedInts.rows(module.matrix(ZEROS, -1, -1, ScalarFormat.I32), sizes.bits());
        byte[] zeros = new byte[sizes.rows() * sizes.groups()];
        for (int row = 0; row < sizes.rows(); row++) {
            for (int group = 0; group < sizes.groups(); group++) {
                zeros[row * sizes.groups() + group] = (byte) (stored.get(group, row) + (oneLess ? 1 : 0));
            }
        }
        return zeros;
    }

    @Override
    public void unpack(ModuleParts module, GroupedCodes into) {
        PackedInts codes = PackedInts.columns(module.matrix(CODES, -1, -1, ScalarFormat.I32), into.bits());
        IntStream.range(0, into.rows()).parallel().forEach(row -> {
            for (int column = 0; column < into.columns(); column++) {
                into.setCode(row, column, codes.get(row, column));
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
