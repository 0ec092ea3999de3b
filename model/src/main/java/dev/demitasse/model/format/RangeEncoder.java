package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;

/** GGML's reference rounding for formats with a scale and a minimum: the range divided evenly. */
final class RangeEncoder {
    private RangeEncoder() {}

    static void encode(BlockFormat format, float[] source, int at, int count, MemorySegment target, long offset) {
        int size = format.blockSize();
        int top = (int) format.scheme().levels().largest();
        BlockNumbers numbers = new BlockNumbers(format.scheme());
        for (int block = 0; block < count / size; block++) {
            int first = at + block * size;
            float smallest = Float.POSITIVE_INFINITY;
            float largest = Float.NEGATIVE_INFINITY;
            for (int i = 0; i < size; i++) {
                smallest = Math.min(smallest, source[first + i]);
                largest = Math.max(largest, source[first + i]);
            }
            float scale = (largest - smallest) / top;
            // The codes come from scale and minimum before their rounding to float16.
            float inverse = scale == 0 ? 0 : 1 / scale;
            for (int i = 0; i < size; i++) {
                numbers.codes[i] = (byte) Math.min(top, (int) ((source[first + i] - smallest) * inverse + 0.5f));
            }
            numbers.scale = scale;
            numbers.minimum = smallest;
            format.pack(numbers, target, offset + (long) block * format.bytesPerBlock());
        }
    }
}
