package dev.demitasse.model.packed;

import dev.demitasse.model.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Small numbers in a matrix of 32-bit integers: each line is a stream of bits, lowest first, that runs along a row of the
 * matrix or down a column of it; a number may lie across two integers.
 */
final class PackedInts {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment ints;
    private final int bits;
    private final int mask;
    private final long lineStride;
    private final long wordStride;

    private PackedInts(MemorySegment ints, int bits, long lineStride, long wordStride) {
        this.ints = ints;
        this.bits = bits;
        this.mask = (1 << bits) - 1;
        this.lineStride = lineStride;
        this.wordStride = wordStride;
    }

    /** Lines that are rows of {@code matrix}, of I32. */
    static PackedInts rows(Tensor matrix, int bits) {
        return new PackedInts(matrix.data(), bits, 4L * matrix.columns(), 4);
    }

    /** Lines that are columns of {@code matrix}, of I32. */
    static PackedInts columns(Tensor matrix, int bits) {
        return new PackedInts(matrix.data(), bits, 4, 4L * matrix.columns());
    }

    /** Integers that {@code count} numbers take. */
    static int words(int count, int bits) {
        return Math.toIntExact(Math.ceilDiv((long) count * bits, Integer.SIZE));
    }

    int get(int line, int position) {
        long bit = (long) position * bits;
        int shift = (int) (bit & 31);
        long at = line * lineStride + (bit >>> 5) * wordStride;
        int value = ints.get(INT, at) >>> shift;
        if (shift + bits > Integer.SIZE) {
            value |= ints.get(INT, at + wordStride) << Integer.SIZE - shift;
        }
        return value & mask;
    }

    /** Sets a number that was 0. */
    void set(int line, int position, int value) {
        long bit = (long) position * bits;
        int shift = (int) (bit & 31);
        long at = line * lineStride + (bit >>> 5) * wordStride;
        ints.set(INT, at, ints.get(INT, at) | value << shift);
        if (shift + bits > Integer.SIZE) {
            ints.set(INT, at + wordStride, ints.get(INT, at + wordStride) | value >>> Integer.SIZE - shift);
        }
    }
}
