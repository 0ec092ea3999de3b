package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Eight scale codes and eight minimum codes of 6 bits in 12 bytes, as Q4_K and Q5_K keep them: bytes 0–3 hold scales 0–3
 * and bytes 4–7 minimums 0–3 in their low 6 bits; bytes 8–11 hold the low nibbles of scales 4–7 (low) and minimums 4–7
 * (high), whose upper two bits are the upper two of bytes 0–3 and 4–7.
 */
final class SixBitPairs {
    static final int BYTES = 12;

    private SixBitPairs() {}

    static void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        byte[] scales = numbers.scaleCodes;
        byte[] minimums = numbers.minimumCodes;
        for (int i = 0; i < 4; i++) {
            set(target, offset + i, scales[i] | scales[i + 4] >> 4 << 6);
            set(target, offset + 4 + i, minimums[i] | minimums[i + 4] >> 4 << 6);
            set(target, offset + 8 + i, scales[i + 4] & 15 | minimums[i + 4] << 4);
        }
    }

    static void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        for (int i = 0; i < 4; i++) {
            int scale = source.get(ValueLayout.JAVA_BYTE, offset + i);
            int minimum = source.get(ValueLayout.JAVA_BYTE, offset + 4 + i);
            int nibbles = source.get(ValueLayout.JAVA_BYTE, offset + 8 + i);
            numbers.scaleCodes[i] = (byte) (scale & 63);
            numbers.minimumCodes[i] = (byte) (minimum & 63);
            numbers.scaleCodes[i + 4] = (byte) (nibbles & 15 | scale >> 2 & 48);
            numbers.minimumCodes[i + 4] = (byte) (nibbles >> 4 & 15 | minimum >> 2 & 48);
        }
    }

    private static void set(MemorySegment target, long offset, int value) {
        target.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
    }
}
