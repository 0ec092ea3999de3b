package dev.demitasse.infer.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** The two products of attention for one query of one head, over a cache of transposed keys and plain values. */
public final class AttentionKernel {
    private AttentionKernel() {}

    /**
     * scores[j] = factor · Σ_d query[d] · keys[d, first + j] for j under {@code count}; up to four vectors past it are
     * overwritten with no meaning.
     *
     * @param keys {@code [dimension, stride]} of this head from {@code keysAt}
     */
    public static void scores(
            float[] query,
            int queryAt,
            int dimension,
            float factor,
            float[] keys,
            int keysAt,
            int stride,
            int first,
            int count,
            float[] scores) {
        for (int j = 0; j < count; j += 4 * Lanes.COUNT) {
            FloatVector sum0 = FloatVector.zero(Lanes.FLOAT);
            FloatVector sum1 = sum0;
            FloatVector sum2 = sum0;
            FloatVector sum3 = sum0;
            int at = keysAt + first + j;
            for (int d = 0; d < dimension; d++) {
                FloatVector q = FloatVector.broadcast(Lanes.FLOAT, query[queryAt + d]);
                int row = at + d * stride;
                sum0 = q.fma(FloatVector.fromArray(Lanes.FLOAT, keys, row), sum0);
                sum1 = q.fma(FloatVector.fromArray(Lanes.FLOAT, keys, row + Lanes.COUNT), sum1);
                sum2 = q.fma(FloatVector.fromArray(Lanes.FLOAT, keys, row + 2 * Lanes.COUNT), sum2);
                sum3 = q.fma(FloatVector.fromArray(Lanes.FLOAT, keys, row + 3 * Lanes.COUNT), sum3);
            }
            sum0.mul(factor).intoArray(scores, j);
            sum1.mul(factor).intoArray(scores, j + Lanes.COUNT);
            sum2.mul(factor).intoArray(scores, j + 2 * Lanes.COUNT);
            sum3.mul(factor).intoArray(scores, j + 3 * Lanes.COUNT);
        }
    }

    /** scores[j] += slope · (j − last), of {@code last + 1} scores: what ALiBi takes off for the distance from the last. */
    public static void addRamp(float[] scores, int last, float slope) {
        FloatVector slopes = FloatVector.broadcast(Lanes.FLOAT, slope);
        FloatVector distance = FloatVector.zero(Lanes.FLOAT).addIndex(1).sub(last);
        int j = 0;
        for (; j <= last + 1 - Lanes.COUNT; j += Lanes.COUNT) {
            distance.add(j)
                    .fma(slopes, FloatVector.fromArray(Lanes.FLOAT, scores, j))
                    .intoArray(scores, j);
        }
        for (; j <= last; j++) {
            scores[j] = Math.fma(slope, (float) (j - last), scores[j]);
        }
    }

    /**
     * output[d] = Σ_j weights[j] · values[j, d] for j under {@code count}.
     *
     * @param values rows {@code stride} apart, the first from {@code valuesAt}
     */
    public static void weightedSum(
            float[] weights,
            int count,
            float[] values,
            int valuesAt,
            int stride,
            int dimension,
            float[] output,
            int outputAt) {
        int d = 0;
        for (; d <= dimension - 2 * Lanes.COUNT; d += 2 * Lanes.COUNT) {
            FloatVector sum0 = FloatVector.zero(Lanes.FLOAT);
            FloatVector sum1 = sum0;
            for (int j = 0; j < count; j++) {
                int row = valuesAt + j * stride + d;
                FloatVector weight = FloatVector.broadcast(Lanes.FLOAT, weights[j]);
                sum0 = weight.fma(FloatVector.fromArray(Lanes.FLOAT, values, row), sum0);
                sum1 = weight.fma(FloatVector.fromArray(Lanes.FLOAT, values, row + Lanes.COUNT), sum1);
            }
            sum0.intoArray(output, outputAt + d);
            sum1.intoArray(output, outputAt + d + Lanes.COUNT);
        }
        for (; d < dimension; d += Lanes.COUNT) {
            VectorMask<Float> inside = Lanes.FLOAT.indexInRange(d, dimension);
            FloatVector sum = FloatVector.zero(Lanes.FLOAT);
            for (int j = 0; j < count; j++) {
                FloatVector row = FloatVector.fromArray(Lanes.FLOAT, values, valuesAt + j * stride + d, inside);
                sum = row.fma(FloatVector.broadcast(Lanes.FLOAT, weights[j]), sum);
            }
            sum.intoArray(output, outputAt + d, inside);
        }
    }
}
