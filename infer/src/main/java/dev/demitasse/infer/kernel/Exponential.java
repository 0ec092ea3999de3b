package dev.demitasse.infer.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * eˣ of float vectors, within 2 units in the last place, alike at every vector width: x = n·ln 2 + r, |r| ≤ ln 2 / 2, and
 * the polynomial of Cephes's expf (netlib.org/cephes, single/expf.c) for eʳ. Below −87.33 it gives 0 (no subnormals),
 * above 88.37 e⁸⁸·³⁷.
 */
public final class Exponential {
    private static final float LARGEST = 88.3762626647949f;
    private static final float SMALLEST = -87.3365447504f;
    private static final float LOG2_E = 1.44269504088896341f;
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    /** Adding and subtracting 1.5 · 2²³ rounds a float of moderate size to a whole number. */
    private static final float ROUNDER = 0x1.8p23f;

    private Exponential() {}

    public static FloatVector of(FloatVector x) {
        FloatVector clamped = x.min(LARGEST).max(SMALLEST);
        return power(clamped).blend(0f, x.compare(VectorOperators.LT, SMALLEST));
    }

    /** The same of x that are not above 0, for less: what lies below {@link #SMALLEST} comes out as anything, and is replaced. */
    static FloatVector ofNegative(FloatVector x) {
        return power(x).blend(0f, x.compare(VectorOperators.LT, SMALLEST));
    }

    private static FloatVector power(FloatVector x) {
        FloatVector rounded =
                x.fma(FloatVector.broadcast(Lanes.FLOAT, LOG2_E), FloatVector.broadcast(Lanes.FLOAT, ROUNDER));
        FloatVector n = rounded.sub(ROUNDER);
        FloatVector r = n.fma(FloatVector.broadcast(Lanes.FLOAT, -LN2_HIGH), x);
        r = n.fma(FloatVector.broadcast(Lanes.FLOAT, -LN2_LOW), r);
        FloatVector p = FloatVector.broadcast(Lanes.FLOAT, 1.9875691500e-4f);
        p = p.fma(r, FloatVector.broadcast(Lanes.FLOAT, 1.3981999507e-3f));
        p = p.fma(r, FloatVector.broadcast(Lanes.FLOAT, 8.3334519073e-3f));
        p = p.fma(r, FloatVector.broadcast(Lanes.FLOAT, 4.1665795894e-2f));
        p = p.fma(r, FloatVector.broadcast(Lanes.FLOAT, 1.6666665459e-1f));
        p = p.fma(r, FloatVector.broadcast(Lanes.FLOAT, 5.0000001201e-1f));
        p = p.fma(r.mul(r), r.add(1));
        // The low bits of n + 1.5 · 2²³ are n itself: moved to the exponent field, they multiply by 2ⁿ.
        IntVector exponent = rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
        return p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
    }
}
