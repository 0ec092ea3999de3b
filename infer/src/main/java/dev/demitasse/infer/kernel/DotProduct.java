package dev.demitasse.infer.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;

/** Σ aᵢ·bᵢ, in four vectors of partial sums, so that one addition need not wait for the one before. */
public final class DotProduct {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private DotProduct() {}

    /** Of {@code count} elements of {@code a} from {@code aAt} and of {@code b} from {@code bAt}. */
    public static float of(float[] a, int aAt, float[] b, int bAt, int count) {
        FloatVector sum0 = FloatVector.zero(Lanes.FLOAT);
        FloatVector sum1 = sum0;
        FloatVector sum2 = sum0;
        FloatVector sum3 = sum0;
        int i = 0;
        for (; i <= count - 4 * Lanes.COUNT; i += 4 * Lanes.COUNT) {
            sum0 = floats(a, aAt + i).fma(floats(b, bAt + i), sum0);
            sum1 = floats(a, aAt + i + Lanes.COUNT).fma(floats(b, bAt + i + Lanes.COUNT), sum1);
            sum2 = floats(a, aAt + i + 2 * Lanes.COUNT).fma(floats(b, bAt + i + 2 * Lanes.COUNT), sum2);
            sum3 = floats(a, aAt + i + 3 * Lanes.COUNT).fma(floats(b, bAt + i + 3 * Lanes.COUNT), sum3);
        }
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            sum0 = floats(a, aAt + i).fma(floats(b, bAt + i), sum0);
        }
        float sum = Lanes.sum(sum0.add(sum1).add(sum2.add(sum3)));
        for (; i < count; i++) {
            sum = Math.fma(a[aAt + i], b[bAt + i], sum);
        }
        return sum;
    }

    /** Of {@code count} little-endian floats at byte {@code offset} of {@code data} and {@code b} from {@code bAt}. */
    public static float of(MemorySegment data, long offset, float[] b, int bAt, int count) {
        FloatVector sum0 = FloatVector.zero(Lanes.FLOAT);
        FloatVector sum1 = sum0;
        FloatVector sum2 = sum0;
        FloatVector sum3 = sum0;
        long step = 4L * Lanes.COUNT;
        int i = 0;
        for (; i <= count - 4 * Lanes.COUNT; i += 4 * Lanes.COUNT) {
            long from = offset + 4L * i;
            sum0 = floats(data, from).fma(floats(b, bAt + i), sum0);
            sum1 = floats(data, from + step).fma(floats(b, bAt + i + Lanes.COUNT), sum1);
            sum2 = floats(data, from + 2 * step).fma(floats(b, bAt + i + 2 * Lanes.COUNT), sum2);
            sum3 = floats(data, from + 3 * step).fma(floats(b, bAt + i + 3 * Lanes.COUNT), sum3);
        }
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT) {
            sum0 = floats(data, offset + 4L * i).fma(floats(b, bAt + i), sum0);
        }
        float sum = Lanes.sum(sum0.add(sum1).add(sum2.add(sum3)));
        for (; i < count; i++) {
            sum = Math.fma(data.get(FLOAT, offset + 4L * i), b[bAt + i], sum);
        }
        return sum;
    }

    private static FloatVector floats(float[] values, int at) {
        return FloatVector.fromArray(Lanes.FLOAT, values, at);
    }

    private static FloatVector floats(MemorySegment data, long offset) {
        return ByteVector.fromMemorySegment(Lanes.FLOAT_BYTES, data, offset, ByteOrder.LITTLE_ENDIAN)
                .reinterpretAsFloats();
    }
}
