package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;

/** GGML's reference rounding for ternary formats: the scale is the largest magnitude, halves go away from 0. */
final class TernaryEncoder {
    private TernaryEncoder() {}

    static void encode(BlockFormat format, float[] source, int at, int count, MemorySegment target, long offset) {
        int size = format.blockSize();
        BlockNumbers numbers = new BlockNumbers(format.scheme());
        for (int block = 0; block < count / size; block++) {
            int first = at + block * size;
            float largest = 0;
            for (int i = 0; i < size; i++) {
                largest = Math.max(largest, Math.abs(source[first + i]));
            }
            float inverse = largest == 0 ? 0 : 1 / largest;
            for (int i = 0; i < size; i++) {
                float share = source[first + i] * inverse;
                numbers.codes[i] = (byte) (share >= 0.5f ? 1 : share <= -0.5f ? -1 : 0);
            }
            numbers.scale = largest;
            format.pack(numbers, target, offset + (long) block * format.bytesPerBlock());
        }
    }
}
