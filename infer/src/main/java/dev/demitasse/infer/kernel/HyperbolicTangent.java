package dev.demitasse.infer.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * tanh of float vectors: a polynomial below 0.625, 1 − 2 / (e²ˣ + 1) above, as Cephes's tanhf (netlib.org/cephes,
 * single/tanhf.c).
 */
public final class HyperbolicTangent {
    private static final float SMALL = 0.625f;

    private HyperbolicTangent() {}

    /** x = cap · tanh(x / cap), of {@code count} elements from {@code at}: keeps them within −cap to cap. */
    public static void softCap(float[] x, int at, int count, float cap) {
        int i = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            of(FloatVector.fromArray(Lanes.FLOAT, x, at + i).div(cap)).mul(cap).intoArray(x, at + i);
        }
        if (i < count) {
            VectorMask<Float> inside = Lanes.FLOAT.indexInRange(i, count);
            of(FloatVector.fromArray(Lanes.FLOAT, x, at + i, inside).div(cap))
                    .mul(cap)
                    .intoArray(x, at + i, inside);
        }
    }

    /** tanh of each lane. */
    public static FloatVector of(FloatVector x) {
        FloatVector size = x.abs();
        FloatVector square = x.mul(x);
        FloatVector p = FloatVector.broadcast(Lanes.FLOAT, -5.70498872745e-3f);
        p = p.fma(square, FloatVector.broadcast(Lanes.FLOAT, 2.06390887954e-2f));
        p = p.fma(square, FloatVector.broadcast(Lanes.FLOAT, -5.37397155531e-2f));
        p = p.fma(square, FloatVector.broadcast(Lanes.FLOAT, 1.33314422036e-1f));
        p = p.fma(square, FloatVector.broadcast(Lanes.FLOAT, -3.33332819422e-1f));
        FloatVector near = p.mul(square).fma(x, x);
        FloatVector one = FloatVector.broadcast(Lanes.FLOAT, 1);
        FloatVector two = FloatVector.broadcast(Lanes.FLOAT, 2);
        FloatVector far = one.sub(two.div(Exponential.of(size.add(size)).add(1)));
        FloatVector signed = far.blend(far.neg(), x.compare(VectorOperators.LT, 0));
        return signed.blend(near, size.compare(VectorOperators.LT, SMALL));
    }
}
