package dev.demitasse.infer.kernel;

import jdk.incubator.vector.FloatVector;

/**
 * The innermost loop of a matrix product: 6 rows of weights times a panel of tokens, tokens in lanes, all sums in
 * registers. Twelve sums, two inputs and a broadcast weight fit the 16 vector registers of AVX2.
 */
public final class MatrixKernel {
    /** Rows of weights in one call. */
    public static final int ROWS = 6;

    /** Tokens in one call. */
    public static final int TOKENS = 2 * Lanes.COUNT;

    /** Floats that one call computes. */
    public static final int BLOCK = ROWS * TOKENS;

    private MatrixKernel() {}

    /**
     * sums [ROWS, TOKENS] = weights [ROWS, depth] · panel [depth, TOKENS].
     *
     * @param stride floats from one row of weights to the next
     */
    public static void multiply(
            float[] panel, int panelAt, float[] weights, int weightsAt, int stride, int depth, float[] sums) {
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
        int row1 = weightsAt + stride;
        int row2 = row1 + stride;
        int row3 = row2 + stride;
        int row4 = row3 + stride;
        int row5 = row4 + stride;
        for (int k = 0; k < depth; k++) {
            int at = panelAt + k * TOKENS;
            FloatVector x0 = FloatVector.fromArray(Lanes.FLOAT, panel, at);
            FloatVector x1 = FloatVector.fromArray(Lanes.FLOAT, panel, at + Lanes.COUNT);
            FloatVector weight0 = FloatVector.broadcast(Lanes.FLOAT, weights[weightsAt + k]);
            sum00 = weight0.fma(x0, sum00);
            sum01 = weight0.fma(x1, sum01);
            FloatVector weight1 = FloatVector.broadcast(Lanes.FLOAT, weights[row1 + k]);
            sum10 = weight1.fma(x0, sum10);
            sum11 = weight1.fma(x1, sum11);
            FloatVector weight2 = FloatVector.broadcast(Lanes.FLOAT, weights[row2 + k]);
            sum20 = weight2.fma(x0, sum20);
            sum21 = weight2.fma(x1, sum21);
            FloatVector weight3 = FloatVector.broadcast(Lanes.FLOAT, weights[row3 + k]);
            sum30 = weight3.fma(x0, sum30);
            sum31 = weight3.fma(x1, sum31);
            FloatVector weight4 = FloatVector.broadcast(Lanes.FLOAT, weights[row4 + k]);
            sum40 = weight4.fma(x0, sum40);
            sum41 = weight4.fma(x1, sum41);
            FloatVector weight5 = FloatVector.broadcast(Lanes.FLOAT, weights[row5 + k]);
            sum50 = weight5.fma(x0, sum50);
            sum51 = weight5.fma(x1, sum51);
        }
        sum00.intoArray(sums, 0);
        sum01.intoArray(sums, Lanes.COUNT);
        sum10.intoArray(sums, TOKENS);
        sum11.intoArray(sums, TOKENS + Lanes.COUNT);
        sum20.intoArray(sums, 2 * TOKENS);
        sum21.intoArray(sums, 2 * TOKENS + Lanes.COUNT);
        sum30.intoArray(sums, 3 * TOKENS);
        sum31.intoArray(sums, 3 * TOKENS + Lanes.COUNT);
        sum40.intoArray(sums, 4 * TOKENS);
        sum41.intoArray(sums, 4 * TOKENS + Lanes.COUNT);
        sum50.intoArray(sums, 5 * TOKENS);
        sum51.intoArray(sums, 5 * TOKENS + Lanes.COUNT);
    }
}
