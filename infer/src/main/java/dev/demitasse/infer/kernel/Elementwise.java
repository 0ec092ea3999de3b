package dev.demitasse.infer.kernel;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** What happens between matrix products, row by row: norms, activations, softmax, sums. */
public final class Elementwise {
    private Elementwise() {}

    /**
     * RMS norm (Zhang and Sennrich, arXiv:1910.07467, eq. 4): x / sqrt(mean(x²) + epsilon) · weight, of {@code width}
     * elements of {@code x} from {@code at} into {@code y} from the same index.
     */
    public static void rmsNorm(float[] x, int at, int width, float[] weight, double epsilon, float[] y) {
        double meanSquare = (double) DotProduct.of(x, at, x, at, width) / width;
        float factor = (float) (1 / Math.sqrt(meanSquare + epsilon));
        int i = 0;
        for (; i <= width - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, x, at + i)
                    .mul(factor)
                    .mul(FloatVector.fromArray(Lanes.FLOAT, weight, i))
                    .intoArray(y, at + i);
        }
        for (; i < width; i++) {
            y[at + i] = x[at + i] * factor * weight[i];
        }
    }

    /** gate = silu(gate) · up with silu(x) = x / (1 + e⁻ˣ), of {@code count} elements from {@code at}. */
    public static void gatedSilu(float[] gate, float[] up, int at, int count) {
        int i = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector x = FloatVector.fromArray(Lanes.FLOAT, gate, at + i);
            silu(x).mul(FloatVector.fromArray(Lanes.FLOAT, up, at + i)).intoArray(gate, at + i);
        }
        if (i < count) {
            VectorMask<Float> inside = Lanes.FLOAT.indexInRange(i, count);
            FloatVector x = FloatVector.fromArray(Lanes.FLOAT, gate, at + i, inside);
            silu(x).mul(FloatVector.fromArray(Lanes.FLOAT, up, at + i, inside)).intoArray(gate, at + i, inside);
        }
    }

    private static FloatVector silu(FloatVector x) {
        return x.div(Exponential.of(x.neg()).add(1));
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
