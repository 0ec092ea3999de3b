package dev.demitasse.infer.kernel;

import jdk.incubator.vector.FloatVector;

/**
 * The innermost loop of a matrix product: 6 rows of the left matrix times a panel of the right one, whose columns lie in
 * the lanes of a few vectors, all sums in registers.
 *
 * <p>With 32 vector registers (AVX-512, ARM) a panel is four vectors wide: 24 sums, four inputs and a broadcast value; with
 * 16 (AVX2) two: 12 sums. On a Zen 5 core the wide one does 237 of 246 GFLOP/s, the narrow one 218.
 */
public final class MatrixKernel {
    /** Rows in one call. */
    public static final int ROWS = 6;

    private static final boolean WIDE =
            Lanes.COUNT == 16 || System.getProperty("os.arch").equals("aarch64");

    /** Columns of a panel. */
    public static final int COLUMNS = (WIDE ? 4 : 2) * Lanes.COUNT;

    /** Numbers that one call computes. */
    public static final int BLOCK = ROWS * COLUMNS;

    private MatrixKernel() {}

    /**
     * target {@code [ROWS, COLUMNS]} += factor · left {@code [ROWS, depth]} · panel {@code [depth, COLUMNS]}. The products
     * are summed by themselves, then added.
     *
     * @param columns of the panel that matter; what is added to the others is right or nothing
     * @param stride floats from one row of the left matrix to the next
     * @param targetStride floats from one row of the target to the next
     */
    public static void add(
            float[] panel,
            int panelAt,
            int columns,
            float[] left,
            int leftAt,
            int stride,
            int depth,
            float factor,
            float[] target,
            int targetAt,
            int targetStride) {
        if (WIDE && columns > 2 * Lanes.COUNT) {
            addFour(panel, panelAt, left, leftAt, stride, depth, factor, target, targetAt, targetStride);
        } else {
            addTwo(panel, panelAt, left, leftAt, stride, depth, factor, target, targetAt, targetStride);
        }
    }

    /** All four vectors of a wide panel. */
    private static void addFour(
            float[] panel,
            int panelAt,
            float[] left,
            int leftAt,
            int stride,
            int depth,
            float factor,
            float[] target,
            int targetAt,
            int targetStride) {
        FloatVector zero = FloatVector.zero(Lanes.FLOAT);
        FloatVector sum00 = zero;
        FloatVector sum01 = zero;
        FloatVector sum02 = zero;
        FloatVector sum03 = zero;
        FloatVector sum10 = zero;
        FloatVector sum11 = zero;
        FloatVector sum12 = zero;
        FloatVector sum13 = zero;
        FloatVector sum20 = zero;
        FloatVector sum21 = zero;
        FloatVector sum22 = zero;
        FloatVector sum23 = zero;
        FloatVector sum30 = zero;
        FloatVector sum31 = zero;
        FloatVector sum32 = zero;
        FloatVector sum33 = zero;
        FloatVector sum40 = zero;
        FloatVector sum41 = zero;
        FloatVector sum42 = zero;
        FloatVector sum43 = zero;
        FloatVector sum50 = zero;
        FloatVector sum51 = zero;
        FloatVector sum52 = zero;
        FloatVector sum53 = zero;
        int left1 = leftAt + stride;
        int left2 = left1 + stride;
        int left3 = left2 + stride;
        int left4 = left3 + stride;
        int left5 = left4 + stride;
        for (int k = 0; k < depth; k++) {
            int at = panelAt + k * COLUMNS;
            FloatVector right0 = FloatVector.fromArray(Lanes.FLOAT, panel, at);
            FloatVector right1 = FloatVector.fromArray(Lanes.FLOAT, panel, at + Lanes.COUNT);
            FloatVector right2 = FloatVector.fromArray(Lanes.FLOAT, panel, at + 2 * Lanes.COUNT);
            FloatVector right3 = FloatVector.fromArray(Lanes.FLOAT, panel, at + 3 * Lanes.COUNT);
            FloatVector value0 = FloatVector.broadcast(Lanes.FLOAT, left[leftAt + k]);
            sum00 = value0.fma(right0, sum00);
            sum01 = value0.fma(right1, sum01);
            sum02 = value0.fma(right2, sum02);
            sum03 = value0.fma(right3, sum03);
            FloatVector value1 = FloatVector.broadcast(Lanes.FLOAT, left[left1 + k]);
            sum10 = value1.fma(right0, sum10);
            sum11 = value1.fma(right1, sum11);
            sum12 = value1.fma(right2, sum12);
            sum13 = value1.fma(right3, sum13);
            FloatVector value2 = FloatVector.broadcast(Lanes.FLOAT, left[left2 + k]);
            sum20 = value2.fma(right0, sum20);
            sum21 = value2.fma(right1, sum21);
            sum22 = value2.fma(right2, sum22);
            sum23 = value2.fma(right3, sum23);
            FloatVector value3 = FloatVector.broadcast(Lanes.FLOAT, left[left3 + k]);
            sum30 = value3.fma(right0, sum30);
            sum31 = value3.fma(right1, sum31);
            sum32 = value3.fma(right2, sum32);
            sum33 = value3.fma(right3, sum33);
            FloatVector value4 = FloatVector.broadcast(Lanes.FLOAT, left[left4 + k]);
            sum40 = value4.fma(right0, sum40);
            sum41 = value4.fma(right1, sum41);
            sum42 = value4.fma(right2, sum42);
            sum43 = value4.fma(right3, sum43);
            FloatVector value5 = FloatVector.broadcast(Lanes.FLOAT, left[left5 + k]);
            sum50 = value5.fma(right0, sum50);
            sum51 = value5.fma(right1, sum51);
            sum52 = value5.fma(right2, sum52);
            sum53 = value5.fma(right3, sum53);
        }
        FloatVector scale = FloatVector.broadcast(Lanes.FLOAT, factor);
        sum00.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, targetAt)).intoArray(target, targetAt);
        sum01.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, targetAt + Lanes.COUNT))
                .intoArray(target, targetAt + Lanes.COUNT);
        sum02.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, targetAt + 2 * Lanes.COUNT))
                .intoArray(target, targetAt + 2 * Lanes.COUNT);
        sum03.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, targetAt + 3 * Lanes.COUNT))
                .intoArray(target, targetAt + 3 * Lanes.COUNT);
        int target1 = targetAt + targetStride;
        sum10.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target1)).intoArray(target, target1);
        sum11.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target1 + Lanes.COUNT))
                .intoArray(target, target1 + Lanes.COUNT);
        sum12.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target1 + 2 * Lanes.COUNT))
                .intoArray(target, target1 + 2 * Lanes.COUNT);
        sum13.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target1 + 3 * Lanes.COUNT))
                .intoArray(target, target1 + 3 * Lanes.COUNT);
        int target2 = target1 + targetStride;
        sum20.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target2)).intoArray(target, target2);
        sum21.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target2 + Lanes.COUNT))
                .intoArray(target, target2 + Lanes.COUNT);
        sum22.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target2 + 2 * Lanes.COUNT))
                .intoArray(target, target2 + 2 * Lanes.COUNT);
        sum23.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target2 + 3 * Lanes.COUNT))
                .intoArray(target, target2 + 3 * Lanes.COUNT);
        int target3 = target2 + targetStride;
        sum30.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target3)).intoArray(target, target3);
        sum31.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target3 + Lanes.COUNT))
                .intoArray(target, target3 + Lanes.COUNT);
        sum32.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target3 + 2 * Lanes.COUNT))
                .intoArray(target, target3 + 2 * Lanes.COUNT);
        sum33.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target3 + 3 * Lanes.COUNT))
                .intoArray(target, target3 + 3 * Lanes.COUNT);
        int target4 = target3 + targetStride;
        sum40.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target4)).intoArray(target, target4);
        sum41.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target4 + Lanes.COUNT))
                .intoArray(target, target4 + Lanes.COUNT);
        sum42.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target4 + 2 * Lanes.COUNT))
                .intoArray(target, target4 + 2 * Lanes.COUNT);
        sum43.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target4 + 3 * Lanes.COUNT))
                .intoArray(target, target4 + 3 * Lanes.COUNT);
        int target5 = target4 + targetStride;
        sum50.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target5)).intoArray(target, target5);
        sum51.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target5 + Lanes.COUNT))
                .intoArray(target, target5 + Lanes.COUNT);
        sum52.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target5 + 2 * Lanes.COUNT))
                .intoArray(target, target5 + 2 * Lanes.COUNT);
        sum53.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target5 + 3 * Lanes.COUNT))
                .intoArray(target, target5 + 3 * Lanes.COUNT);
    }

    /** The first two vectors of a panel. */
    private static void addTwo(
            float[] panel,
            int panelAt,
            float[] left,
            int leftAt,
            int stride,
            int depth,
            float factor,
            float[] target,
            int targetAt,
            int targetStride) {
        FloatVector zero = FloatVector.zero(Lanes.FLOAT);
        FloatVector sum00 = zero;
        FloatVector sum01 = zero;
        FloatVector sum10 = zero;
        FloatVector sum11 = zero;
        FloatVector sum20 = zero;
        FloatVector sum21 = zero;
        FloatVector sum30 = zero;
        FloatVector sum31 = zero;
        FloatVector sum40 = zero;
        FloatVector sum41 = zero;
        FloatVector sum50 = zero;
        FloatVector sum51 = zero;
        int left1 = leftAt + stride;
        int left2 = left1 + stride;
        int left3 = left2 + stride;
        int left4 = left3 + stride;
        int left5 = left4 + stride;
        for (int k = 0; k < depth; k++) {
            int at = panelAt + k * COLUMNS;
            FloatVector right0 = FloatVector.fromArray(Lanes.FLOAT, panel, at);
            FloatVector right1 = FloatVector.fromArray(Lanes.FLOAT, panel, at + Lanes.COUNT);
            FloatVector value0 = FloatVector.broadcast(Lanes.FLOAT, left[leftAt + k]);
            sum00 = value0.fma(right0, sum00);
            sum01 = value0.fma(right1, sum01);
            FloatVector value1 = FloatVector.broadcast(Lanes.FLOAT, left[left1 + k]);
            sum10 = value1.fma(right0, sum10);
            sum11 = value1.fma(right1, sum11);
            FloatVector value2 = FloatVector.broadcast(Lanes.FLOAT, left[left2 + k]);
            sum20 = value2.fma(right0, sum20);
            sum21 = value2.fma(right1, sum21);
            FloatVector value3 = FloatVector.broadcast(Lanes.FLOAT, left[left3 + k]);
            sum30 = value3.fma(right0, sum30);
            sum31 = value3.fma(right1, sum31);
            FloatVector value4 = FloatVector.broadcast(Lanes.FLOAT, left[left4 + k]);
            sum40 = value4.fma(right0, sum40);
            sum41 = value4.fma(right1, sum41);
            FloatVector value5 = FloatVector.broadcast(Lanes.FLOAT, left[left5 + k]);
            sum50 = value5.fma(right0, sum50);
            sum51 = value5.fma(right1, sum51);
        }
        FloatVector scale = FloatVector.broadcast(Lanes.FLOAT, factor);
        sum00.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, targetAt)).intoArray(target, targetAt);
        sum01.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, targetAt + Lanes.COUNT))
                .intoArray(target, targetAt + Lanes.COUNT);
        int target1 = targetAt + targetStride;
        sum10.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target1)).intoArray(target, target1);
        sum11.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target1 + Lanes.COUNT))
                .intoArray(target, target1 + Lanes.COUNT);
        int target2 = target1 + targetStride;
        sum20.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target2)).intoArray(target, target2);
        sum21.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target2 + Lanes.COUNT))
                .intoArray(target, target2 + Lanes.COUNT);
        int target3 = target2 + targetStride;
        sum30.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target3)).intoArray(target, target3);
        sum31.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target3 + Lanes.COUNT))
                .intoArray(target, target3 + Lanes.COUNT);
        int target4 = target3 + targetStride;
        sum40.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target4)).intoArray(target, target4);
        sum41.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target4 + Lanes.COUNT))
                .intoArray(target, target4 + Lanes.COUNT);
        int target5 = target4 + targetStride;
        sum50.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target5)).intoArray(target, target5);
        sum51.fma(scale, FloatVector.fromArray(Lanes.FLOAT, target, target5 + Lanes.COUNT))
                .intoArray(target, target5 + Lanes.COUNT);
    }
}
