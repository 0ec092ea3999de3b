package dev.demitasse.infer.kernel;

import dev.demitasse.model.FeedForward.Activation;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * The non-linearities of feed-forward blocks. Each has a loop of its own: behind a shared one, vectors would leave their
 * registers at every call.
 */
public final class Activations {
    /** √(2/π) · 2: GELU's tanh form is x · sigmoid(2u), u = √(2/π) · (x + 0.044715 x³). */
    private static final float TWICE_ROOT = 1.5957691216057308f;

    private static final float CUBIC = 0.044715f;

    private Activations() {}

    /** x = activation(x), of {@code count} elements from {@code at}. */
    public static void apply(Activation activation, float[] x, int at, int count) {
        switch (activation) {
            case SILU -> silu(x, at, count);
            case GELU -> gelu(x, at, count);
            case GELU_TANH -> geluTanh(x, at, count);
            case RELU -> relu(x, at, count);
        }
    }

    /** gate = activation(gate) · up, of {@code count} elements from {@code at}. */
    public static void applyGated(Activation activation, float[] gate, float[] up, int at, int count) {
        switch (activation) {
            case SILU -> gatedSilu(gate, up, at, count);
            case GELU_TANH -> gatedGeluTanh(gate, up, at, count);
            case GELU, RELU -> {
                apply(activation, gate, at, count);
                Elementwise.multiply(up, gate, at, count);
            }
        }
    }

    private static void silu(float[] x, int at, int count) {
        int i = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            silu(FloatVector.fromArray(Lanes.FLOAT, x, at + i)).intoArray(x, at + i);
        }
        if (i < count) {
            VectorMask<Float> inside = Lanes.FLOAT.indexInRange(i, count);
            silu(FloatVector.fromArray(Lanes.FLOAT, x, at + i, inside)).intoArray(x, at + i, inside);
        }
    }

    private static void gatedSilu(float[] gate, float[] up, int at, int count) {
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

    /** x / (1 + e⁻ˣ). */
    private static FloatVector silu(FloatVector x) {
        return x.div(Exponential.of(x.neg()).add(1));
    }

    private static void gelu(float[] x, int at, int count) {
        int i = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            gelu(FloatVector.fromArray(Lanes.FLOAT, x, at + i)).intoArray(x, at + i);
        }
        if (i < count) {
            VectorMask<Float> inside = Lanes.FLOAT.indexInRange(i, count);
            gelu(FloatVector.fromArray(Lanes.FLOAT, x, at + i, inside)).intoArray(x, at + i, inside);
        }
    }

    /** x · Φ(x). */
    private static FloatVector gelu(FloatVector x) {
        return x.mul(NormalDistribution.of(x));
    }

    private static void geluTanh(float[] x, int at, int count) {
        int i = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            geluTanh(FloatVector.fromArray(Lanes.FLOAT, x, at + i)).intoArray(x, at + i);
        }
        if (i < count) {
            VectorMask<Float> inside = Lanes.FLOAT.indexInRange(i, count);
            geluTanh(FloatVector.fromArray(Lanes.FLOAT, x, at + i, inside)).intoArray(x, at + i, inside);
        }
    }

    private static void gatedGeluTanh(float[] gate, float[] up, int at, int count) {
        int i = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector x = FloatVector.fromArray(Lanes.FLOAT, gate, at + i);
            geluTanh(x).mul(FloatVector.fromArray(Lanes.FLOAT, up, at + i)).intoArray(gate, at + i);
        }
        if (i < count) {
            VectorMask<Float> inside = Lanes.FLOAT.indexInRange(i, count);
            FloatVector x = FloatVector.fromArray(Lanes.FLOAT, gate, at + i, inside);
            geluTanh(x)
                    .mul(FloatVector.fromArray(Lanes.FLOAT, up, at + i, inside))
                    .intoArray(gate, at + i, inside);
        }
    }

    /** x/2 · (1 + tanh u) = x / (1 + e⁻²ᵘ). */
    private static FloatVector geluTanh(FloatVector x) {
        FloatVector twice = x.mul(x).mul(CUBIC).add(1).mul(x).mul(TWICE_ROOT);
        return x.div(Exponential.of(twice.neg()).add(1));
    }

    private static void relu(float[] x, int at, int count) {
        int i = at;
        for (; i <= at + count - Lanes.COUNT; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOAT, x, i).max(0).intoArray(x, i);
        }
        for (; i < at + count; i++) {
            x[i] = Math.max(x[i], 0);
        }
    }
}
