package dev.demitasse.quantize.matrix;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of matrices of doubles: {@code target += factor · left · right}. The right matrix is repacked panel by panel,
 * 256 rows of two vectors each, which stay in the first-level cache while all rows of the left one pass by.
 */
public final class DoubleProduct {
    private static final VectorSpecies<Double> SPECIES = DoubleVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();
    private static final int PANEL = 2 * LANES;
    private static final int ROWS = 6;
    private static final int DEPTH = 256;

    private DoubleProduct() {}

    /**
     * target {@code [rows, columns]} += factor · left {@code [rows, depth]} · right {@code [depth, columns]}; the target
     * overlaps neither.
     */
    public static void add(View target, double factor, View left, View right) {
        if (left.columns() != right.rows() || target.rows() != left.rows() || target.columns() != right.columns()) {
            throw new IllegalArgumentException("[%d, %d] from [%d, %d] and [%d, %d]"
                    .formatted(
                            target.rows(),
                            target.columns(),
                            left.rows(),
                            left.columns(),
                            right.rows(),
                            right.columns()));
        }
        double[] panel = new double[DEPTH * PANEL];
        double[] sums = new double[ROWS * PANEL];
        for (int from = 0; from < right.rows(); from += DEPTH) {
            int depth = Math.min(DEPTH, right.rows() - from);
            View slice = left.part(0, from, left.rows(), depth);
            for (int column = 0; column < right.columns(); column += PANEL) {
                int width = Math.min(PANEL, right.columns() - column);
                pack(right.part(from, column, depth, width), panel);
                addPanel(target.part(0, column, target.rows(), width), factor, slice, panel, sums);
            }
        }
    }

    /** Zeros to the right of {@code source}'s last column. */
    private static void pack(View source, double[] panel) {
        for (int row = 0; row < source.rows(); row++) {
            System.arraycopy(
                    source.values(), source.at() + row * source.stride(), panel, row * PANEL, source.columns());
            java.util.Arrays.fill(panel, row * PANEL + source.columns(), (row + 1) * PANEL, 0);
        }
    }

    private static void addPanel(View target, double factor, View left, double[] panel, double[] sums) {
        for (int row = 0; row < left.rows(); row += ROWS) {
            int count = Math.min(ROWS, left.rows() - row);
            if (count == ROWS) {
                multiplySix(left.values(), left.at() + row * left.stride(), left.stride(), left.columns(), panel, sums);
            } else {
                for (int i = 0; i < count; i++) {
                    int at = left.at() + (row + i) * left.stride();
                    multiplyOne(left.values(), at, left.columns(), panel, sums, i * PANEL);
                }
            }
            for (int i = 0; i < count; i++) {
                int at = target.at() + (row + i) * target.stride();
                addScaled(target.values(), at, factor, sums, i * PANEL, target.columns());
            }
        }
    }

    private static void multiplySix(double[] left, int at, int stride, int depth, double[] panel, double[] sums) {
        DoubleVector zero = DoubleVector.zero(SPECIES);
        DoubleVector sum00 = zero;
        DoubleVector sum01 = zero;
        DoubleVector sum10 = zero;
        DoubleVector sum11 = zero;
        DoubleVector sum20 = zero;
        DoubleVector sum21 = zero;
        DoubleVector sum30 = zero;
        DoubleVector sum31 = zero;
        DoubleVector sum40 = zero;
        DoubleVector sum41 = zero;
        DoubleVector sum50 = zero;
        DoubleVector sum51 = zero;
        int left1 = at + stride;
        int left2 = left1 + stride;
        int left3 = left2 + stride;
        int left4 = left3 + stride;
        int left5 = left4 + stride;
        for (int k = 0; k < depth; k++) {
            DoubleVector right0 = DoubleVector.fromArray(SPECIES, panel, k * PANEL);
            DoubleVector right1 = DoubleVector.fromArray(SPECIES, panel, k * PANEL + LANES);
            DoubleVector value0 = DoubleVector.broadcast(SPECIES, left[at + k]);
            sum00 = value0.fma(right0, sum00);
            sum01 = value0.fma(right1, sum01);
            DoubleVector value1 = DoubleVector.broadcast(SPECIES, left[left1 + k]);
            sum10 = value1.fma(right0, sum10);
            sum11 = value1.fma(right1, sum11);
            DoubleVector value2 = DoubleVector.broadcast(SPECIES, left[left2 + k]);
            sum20 = value2.fma(right0, sum20);
            sum21 = value2.fma(right1, sum21);
            DoubleVector value3 = DoubleVector.broadcast(SPECIES, left[left3 + k]);
            sum30 = value3.fma(right0, sum30);
            sum31 = value3.fma(right1, sum31);
            DoubleVector value4 = DoubleVector.broadcast(SPECIES, left[left4 + k]);
            sum40 = value4.fma(right0, sum40);
            sum41 = value4.fma(right1, sum41);
            DoubleVector value5 = DoubleVector.broadcast(SPECIES, left[left5 + k]);
            sum50 = value5.fma(right0, sum50);
            sum51 = value5.fma(right1, sum51);
        }
        sum00.intoArray(sums, 0);
        sum01.intoArray(sums, LANES);
        sum10.intoArray(sums, PANEL);
        sum11.intoArray(sums, PANEL + LANES);
        sum20.intoArray(sums, 2 * PANEL);
        sum21.intoArray(sums, 2 * PANEL + LANES);
        sum30.intoArray(sums, 3 * PANEL);
        sum31.intoArray(sums, 3 * PANEL + LANES);
        sum40.intoArray(sums, 4 * PANEL);
        sum41.intoArray(sums, 4 * PANEL + LANES);
        sum50.intoArray(sums, 5 * PANEL);
        sum51.intoArray(sums, 5 * PANEL + LANES);
    }

    private static void multiplyOne(double[] left, int at, int depth, double[] panel, double[] sums, int sumsAt) {
        DoubleVector sum0 = DoubleVector.zero(SPECIES);
        DoubleVector sum1 = DoubleVector.zero(SPECIES);
        for (int k = 0; k < depth; k++) {
            DoubleVector value = DoubleVector.broadcast(SPECIES, left[at + k]);
            sum0 = value.fma(DoubleVector.fromArray(SPECIES, panel, k * PANEL), sum0);
            sum1 = value.fma(DoubleVector.fromArray(SPECIES, panel, k * PANEL + LANES), sum1);
        }
        sum0.intoArray(sums, sumsAt);
        sum1.intoArray(sums, sumsAt + LANES);
    }

    /** target[at …] += factor · source[from …], {@code count} numbers. */
    public static void addScaled(double[] target, int at, double factor, double[] source, int from, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            DoubleVector.broadcast(SPECIES, factor)
                    .fma(
                            DoubleVector.fromArray(SPECIES, source, from + i),
                            DoubleVector.fromArray(SPECIES, target, at + i))
                    .intoArray(target, at + i);
        }
        for (; i < count; i++) {
            target[at + i] = Math.fma(factor, source[from + i], target[at + i]);
        }
    }
}
