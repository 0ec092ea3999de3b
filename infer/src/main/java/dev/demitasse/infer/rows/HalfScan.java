package dev.demitasse.infer.rows;

import dev.demitasse.infer.kernel.Lanes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.IntVector;

/** Looks for infinities and NaNs, whose exponents are all ones, among float16 numbers. */
final class HalfScan {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int MAGNITUDES = 0x7fff7fff;
    private static final int SIGNS = 0x80008000;
    private static final int EXPONENT = 0x7c00;

    /** To an exponent of all ones this carries into the sign. */
    private static final int LAST_EXPONENTS = 0x04000400;

    private HalfScan() {}

    /** Whether all numbers of a stretch of memory are finite. */
    static boolean finite(MemorySegment data, long offset, long bytes) {
        IntVector carried = IntVector.zero(Lanes.INT);
        long end = offset + bytes;
        long at = offset;
        for (; at <= end - 4L * Lanes.COUNT; at += 4L * Lanes.COUNT) {
            IntVector pairs = ByteVector.fromMemorySegment(Lanes.FLOAT_BYTES, data, at, ByteOrder.LITTLE_ENDIAN)
                    .reinterpretAsInts();
            carried = carried.or(pairs.and(MAGNITUDES).add(LAST_EXPONENTS));
        }
        int[] lanes = carried.toArray();
        int signs = 0;
        for (int lane : lanes) {
            signs |= lane & SIGNS;
        }
        boolean finite = signs == 0;
        for (; at < end; at += 2) {
            finite &= (data.get(SHORT, at) & EXPONENT) != EXPONENT;
        }
        return finite;
    }
}
