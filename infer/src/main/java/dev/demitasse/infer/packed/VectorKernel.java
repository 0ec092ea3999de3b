package dev.demitasse.infer.packed;

import dev.demitasse.infer.kernel.Lanes;
import java.util.List;

/**
 * A {@link PackedKernel} in the Vector API, for layouts of as many lanes as a vector has floats. The integer sums of two
 * groups are computed first, plane by plane ({@link PlaneSums}), then scaled ({@link SumScaling}): two small methods
 * that the compiler turns into what is meant, where one that does both is past what it inlines.
 */
final class VectorKernel implements PackedKernel {
    static final int LANES = Lanes.COUNT;

    @Override
    public void multiply(
            PackedMatrix matrix,
            int firstGroup,
            int groups,
            BlockedInput input,
            int tile,
            float[] y,
            int at,
            int stride) {
        PackedLayout layout = matrix.layout();
        List<Plane> planes = layout.table().isEmpty() ? layout.planes() : List.of(PlaneSums.LEVELS);
        int[] starts = input.starts(layout.bias(), layout.parts());
        float[] offsets = layout.minimum() ? input.offsets(layout.parts()) : input.scales();
        PlaneSums sums = new PlaneSums(matrix);
        for (int token = 0; token < input.tokens(tile); token++) {
            int[][] factors = new int[planes.size()][];
            for (int plane = 0; plane < factors.length; plane++) {
                factors[plane] = input.factors(planes.get(plane), layout.parts(), tile, token);
            }
            SumScaling scaling = new SumScaling(matrix, input, tile, token, starts, offsets);
            for (int group = 0; group < groups; group += 2) {
                long first = matrix.offset(firstGroup + group);
                boolean pair = group + 1 < groups;
                long second = pair ? first + matrix.groupBytes() : first;
                for (int plane = 0; plane < factors.length; plane++) {
                    sums.add(planes.get(plane), first, second, factors[plane]);
                }
                int to = at + token * stride + group * LANES;
                scaling.write(first, sums.sums(), y, to);
                if (pair) {
                    scaling.write(second, sums.others(), y, to + LANES);
                }
            }
        }
    }
}
