package dev.demitasse.infer.kernel;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** What happens between matrix products, row by row: norms, softmax, sums. */
public final class Elementwise {
    private Elementwise() {}

    /**
     * RMS norm (Zhang and Sennrich, arXiv:1910.07467, eq. 4): x / sqrt(mean(x²) + epsilon) · weight, of {@code width}
     * elements of {@code x} from {@code at} into {@code y} from the same index; y may be x.
     *
     * @param weightAt where its {@code width} weights start
     */
    public static void rmsNorm(float[] x, int at, int width, float[] weight, int weightAt, double epsilon, float[] y) {
        double meanSquare = (double) DotProduct.of(x, at, x, at, width) / width;
        float factor = (float) (1 / Math.sqrt(meanSquare + epsilon));
        int i = 0;
        for (; i <= width - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, x, at + i)
                    .mul(factor)
                    .mul(FloatVector.fromArray(Lanes.FLOAT, weight, weightAt + i))
                    .intoArray(y, at + i);
        }
        for (; i < width; i++) {
            y[at + i] = x[at + i] * factor * weight[weightAt + i];
        }
    }

    /**
     * Layer norm (Ba et al., arXiv:1607.06450, eq. 4): (x − mean(x)) / sqrt(variance(x) + epsilon) · weight + bias, of
     * {@code width} elements of {@code x} from {@code at} into {@code y} from the same index; y may be x.
     *
     * @param weightAt where its {@code width} weights start, and its biases
     */
    public static void layerNorm(
            float[] x, int at, int width, float[] weight, float[] bias, int weightAt, double epsilon, float[] y) {
        float mean = (float) (sum(x, at, width) / width);
        int i = 0;
        for (; i <= width - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, x, at + i).sub(mean).intoArray(y, at + i);
        }
        for (; i < width; i++) {
            y[at + i] = x[at + i] - mean;
        }
        double variance = (double) DotProduct.of(y, at, y, at, width) / width;
        float factor = (float) (1 / Math.sqrt(variance + epsilon));
        i = 0;
        for (; i <= width - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, y, at + i)
                    .mul(factor)
                    .fma(
                            FloatVector.fromArray(Lanes.FLOAT, weight, weightAt + i),
                            FloatVector.fromArray(Lanes.FLOAT, bias, weightAt + i))
                    .intoArray(y, at + i);
        }
        for (; i < width; i++) {
            y[at + i] = Math.fma(y[at + i] * factor, weight[weightAt + i], bias[weightAt + i]);
        }
    }

    private static double sum(float[] x, int at, int count) {
        FloatVector sums = FloatVector.zero(Lanes.FLOAT);
        int i = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            sums = sums.add(FloatVector.fromArray(Lanes.FLOAT, x, at + i));
        }
        double sum = Lanes.sum(sums);
        for (; i < count; i++) {
            sum += x[at + i];
        }
        return sum;
    }

    /** x · factor, of {@code count} elements from {@code at}. */
    public static void scale(float[] x, int at, int count, float factor) {
        int i = at;
        for (; i <= at + count - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, x, i).mul(factor).intoArray(x, i);
        }
        for (; i < at + count; i++) {
            x[i] *= factor;
        }
    }

    /** x cut to −bound … bound, of {@code count} elements from {@code at}. */
    public static void clip(float[] x, int at, int count, float bound) {
        int i = at;
        for (; i <= at + count - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, x, i).min(bound).max(-bound).intoArray(x, i);
        }
        for (; i < at + count; i++) {
            x[i] = Math.clamp(x[i], -bound, bound);
        }
    }

    /** y = y · x, of {@code count} elements from {@code at}. */
    public static void multiply(float[] x, float[] y, int at, int count) {
        int i = at;
        for (; i <= at + count - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, y, i)
                    .mul(FloatVector.fromArray(Lanes.FLOAT, x, i))
                    .intoArray(y, i);
        }
        for (; i < at + count; i++) {
            y[i] *= x[i];
        }
    }

    /** y += factor · x, of {@code count} elements of {@code x} from {@code xAt} and of {@code y} from {@code yAt}. */
    public static void addScaled(float[] x, int xAt, float factor, float[] y, int yAt, int count) {
        FloatVector factors = FloatVector.broadcast(Lanes.FLOAT, factor);
        int i = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, x, xAt + i)
                    .fma(factors, FloatVector.fromArray(Lanes.FLOAT, y, yAt + i))
                    .intoArray(y, yAt + i);
        }
        for (; i < count; i++) {
            y[yAt + i] = Math.fma(x[xAt + i], factor, y[yAt + i]);
        }
    }

    /** y += x, of {@code count} elements from {@code at}. */
    public static void add(float[] x, float[] y, int at, int count) {
        int i = at;
        for (; i <= at + count - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, y, i)
                    .add(FloatVector.fromArray(Lanes.FLOAT, x, i))
                    .intoArray(y, i);
        }
        for (; i < at + count; i++) {
            y[i] += x[i];
        }
    }

    /**
     * Softmax of the first {@code count} elements of {@code scores}; those after them up to the next whole vector become
     * 0, and must be there.
     */
    public static void softmax(float[] scores, int count) {
        int padded = padded(count);
        Arrays.fill(scores, count, padded, Float.NEGATIVE_INFINITY);
        float largest = maximum(scores, 0, padded);
        FloatVector sums = FloatVector.zero(Lanes.FLOAT);
        for (int i = 0; i < padded; i += Lanes.COUNT) {
            FloatVector power =
                    Exponential.of(FloatVector.fromArray(Lanes.FLOAT, scores, i).sub(largest));
            power.intoArray(scores, i);
            sums = sums.add(power);
        }
        float factor = 1 / Lanes.sum(sums);
        for (int i = 0; i < padded; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, scores, i).mul(factor).intoArray(scores, i);
        }
    }

    /** The largest of {@code count} elements of {@code values} from {@code at}. */
    public static float maximum(float[] values, int at, int count) {
        FloatVector largest = FloatVector.broadcast(Lanes.FLOAT, Float.NEGATIVE_INFINITY);
        int i = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            largest = largest.max(FloatVector.fromArray(Lanes.FLOAT, values, at + i));
        }
        float result = largest.reduceLanes(VectorOperators.MAX);
        for (; i < count; i++) {
            result = Math.max(result, values[at + i]);
        }
        return result;
    }

    /** {@code count} rounded up to whole vectors. */
    public static int padded(int count) {
        return Math.ceilDiv(count, Lanes.COUNT) * Lanes.COUNT;
    }
}
