package dev.demitasse.model.packed;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * What compressed-tensors writes as "pack-quantized" (compressed_tensors/compressors/quantized_compressors/
 * pack_quantized.py): {@code weight_packed [out, in · bits / 32]}, codes along each row; {@code weight_scale [out, groups]};
 * {@code weight_shape [2]}; where not symmetric {@code weight_zero_point [out · bits / 32, groups]}, zeros down each column.
 * Its codes have a sign, and are stored with half their range added: here they are never without.
 */
public record PackQuantizedLayout() implements GroupLayout {
    private static final String CODES = "weight_packed";
    private static final String ZEROS = "weight_zero_point";
    private static final String SCALES = "weight_scale";
    private static final String SHAPE = "weight_shape";

    @Override
    public String mark() {
        return CODES;
    }

    @Override
    public String order() {
        return "weight_g_idx";
    }

    @Override
    public Map<String, Part> parts(Sizes sizes, boolean symmetric) {
        Map<String, Part> parts = new LinkedHashMap<>();
        int words = PackedInts.words(sizes.columns(), sizes.bits());
        parts.put(CODES, new Part(ScalarFormat.I32, sizes.rows(), words));
        parts.put(SCALES, new Part(ScalarFormat.F16, sizes.rows(), sizes.groups()));
        parts.put(SHAPE, new Part(ScalarFormat.I64, 2));
        if (!symmetric) {
            parts.put(ZEROS, new Part(ScalarFormat.I32, PackedInts.words(sizes.rows(), sizes.bits()), sizes.groups()));
        }
        return parts;
    }

    @Override
    public Map<String, Tensor> pack(GroupedCodes weight) {
        Map<String, Tensor> tensors = PackedLayout.allocate(parts(weight.sizes(), weight.symmetric()));
        PackedInts codes = PackedInts.rows(GroupedCodes.part(tensors, CODES), weight.bits());
        Tensor scaleTensor = GroupedCodes.part(tensors, SCALES);
        IntStream.range(0, weight.rows()).parallel().forEach(row -> {
            for (int column = 0; column < weight.columns(); column++) {
                codes.set(row, column, weight.code(row, column));
            }
            float[] scales = new float[weight.groups()];
            for (int group = 0; group < scales.length; group++) {
                scales[group] = weight.scale(row, group);
            }
            scaleTensor.writeRow(row, scales, 0);
        });
        Optional.ofNullable(tensors.get(ZEROS)).ifPresent(tensor -> {
            PackedInts zeros = PackedInts.columns(tensor, weight.bits());
            for (int row = 0; row < weight.rows(); row++) {
                for (int group = 0; group < weight.groups(); group++) {
                    zeros.set(group, row, weight.zero(row, group));
                }
            }
        });
        GroupedCodes.writeShape(GroupedCodes.part(tensors, SHAPE), weight.rows(), weight.columns());
        return tensors;
    }

    @Override
    public Sizes sizes(ModuleParts module, int rows, int columns) {
        Tensor codes = module.matrix(CODES, rows, -1, ScalarFormat.I32);
        int bits = module.bits(CODES, codes.shape()[1], columns);
        Tensor scales = module.scales(SCALES, rows, -1);
        int groups = module.groups(SCALES, scales.shape()[1], columns);
        if (module.find(ZEROS).isPresent()) {
            module.matrix(ZEROS, PackedInts.words(rows, bits), groups, ScalarFormat.I32);
        }
        return new Sizes(rows, columns, bits, groups);
    }

    @Override
    public byte[] zeros(ModuleParts module, Sizes sizes) {
        byte[] zeros = new byte[sizes.rows() * sizes.groups()];
        Arrays.fill(zeros, (byte) (1 << sizes.bits() - 1));
        module.find(ZEROS).ifPresent(tensor -> {
            PackedInts stored = PackedInts.columns(tensor, sizes.bits());
            for (int row = 0; row < sizes.rows(); row++) {
                for (int group = 0; group < sizes.groups(); group++) {
                    zeros[row * sizes.groups() + group] = (byte) stored.get(group, row);
                }
            }
        });
        return zeros;
    }

    @Override
    public void unpack(ModuleParts module, GroupedCodes into) {
        PackedInts codes = PackedInts.rows(module.matrix(CODES, -1, -1, ScalarFormat.I32), into.bits());
        Tensor scaleTensor = module.scales(SCALES, -1, -1);
        IntStream.range(0, into.rows()).parallel().forEach(row -> {
            float[] scales = new float[into.groups()];
            scaleTensor.readRow(row, scales, 0);
            for (int group = 0; group < scales.length; group++) {
                into.setScale(row, group, scales[group]);
            }
            for (int column = 0; column < into.columns(); column++) {
                into.setCode(row, column, codes.get(row, column));
            }
        });
    }
}
