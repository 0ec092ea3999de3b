package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;

/**
 * GGML's reference rounding for formats with a scale alone and one level more below 0 than above: the element of largest
 * magnitude, sign kept, is met exactly by the lowest level.
 */
final class ExtremeEncoder {
    private ExtremeEncoder() {}

    static void encode(BlockFormat format, float[] source, int at, int count, MemorySegment target, long offset) {
        int size = format.blockSize();
        int lowest = (int) format.scheme().levels().smallest();
        int top = 2 * -lowest - 1;
        BlockNumbers numbers = new BlockNumbers(format.scheme());
        for (int block = 0; block < count / size; block++) {
            int first = at + block * size;
            float extreme = 0;
            for (int i = 0; i < size; i++) {
                float value = source[first + i];
                if (Math.abs(value) > Math.abs(extreme)) {
                    extreme = value;
                }
            }
            float scale = extreme / lowest;
            // The codes come from the scale before its rounding to float16.
            float inverse = scale == 0 ? 0 : 1 / scale;
            for (int i = 0; i < size; i++) {
                int code = (int) (source[first + i] * inverse + (0.5f - lowest));
                numbers.codes[i] = (byte) (Math.min(top, code) + lowest);
            }
            numbers.scale = scale;
            format.pack(numbers, target, offset + (long) block * format.bytesPerBlock());
        }
    }
}
