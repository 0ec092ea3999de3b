package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Some bits of every code of a block, several codes to a byte: {@code stride} bytes hold the bits of the first
 * {@code stride} codes lowest, those of the next {@code stride} codes above them, and so on until the bytes are full; then
 * the next bytes begin.
 *
 * @param bits of each code: 1, 2 or 4
 */
record BitPlane(int stride, int bits) {
    /** Sets the bits from {@code place} on of every code; those from 0 on set the others to 0. */
    void get(MemorySegment source, long offset, byte[] codes, int place) {
        int mask = (1 << bits) - 1;
        int keep = place == 0 ? 0 : -1;
        long start = offset;
        for (int group = 0; group < codes.length; group += stride * (8 / bits), start += stride) {
            for (int field = 0; field < 8 / bits; field++) {
                int shift = field * bits;
                int first = group + field * stride;
                for (int i = 0; i < stride; i++) {
                    int part = (source.get(ValueLayout.JAVA_BYTE, start + i) >> shift & mask) << place;
                    codes[first + i] = (byte) (codes[first + i] & keep | part);
                }
            }
        }
    }

    /** Writes the bits from {@code place} on of every code plus {@code bias}. */
    void put(byte[] codes, int bias, int place, MemorySegment target, long offset) {
        int mask = (1 << bits) - 1;
        long start = offset;
        for (int group = 0; group < codes.length; group += stride * (8 / bits), start += stride) {
            for (int i = 0; i < stride; i++) {
                int packed = 0;
                for (int field = 0; field < 8 / bits; field++) {
                    packed |= (codes[group + field * stride + i] + bias >> place & mask) << field * bits;
                }
                target.set(ValueLayout.JAVA_BYTE, start + i, (byte) packed);
            }
        }
    }

    /** Takes {@code bias} off every code. */
    static void subtract(int bias, byte[] codes) {
        for (int i = 0; i < codes.length; i++) {
            codes[i] -= (byte) bias;
        }
    }
}
