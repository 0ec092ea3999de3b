package dev.demitasse.model.format;

import static dev.demitasse.model.format.ScalarFormat.LITTLE_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * GGML's Q4_0: 32 elements as a float16 scale and 32 codes of 4 bits; w = scale · (code − 8). The scale is the element
 * of largest magnitude divided by −8, so that this element, sign kept, is met exactly by code 0.
 * Bytes: {@code scale[2] nibbles[16]}; byte i holds element i in its low and element i + 16 in its high half.
 */
public record Q4_0() implements BlockFormat {
    public static final int BLOCK = 32;
    private static final int HALF = BLOCK / 2;
    private static final int BYTES = 2 + HALF;

    @Override
    public String id() {
        return "q4_0";
    }

    @Override
    public int blockSize() {
        return BLOCK;
    }

    @Override
    public int bytesPerBlock() {
        return BYTES;
    }

    @Override
    public void decode(MemorySegment source, long offset, float[] target, int at, int count) {
        for (int block = 0; block < count / BLOCK; block++) {
            long start = offset + (long) block * BYTES;
            float scale = Float.float16ToFloat(source.get(LITTLE_SHORT, start));
            int first = at + block * BLOCK;
            for (int i = 0; i < HALF; i++) {
                int pair = source.get(ValueLayout.JAVA_BYTE, start + 2 + i);
                target[first + i] = scale * ((pair & 15) - 8);
                target[first + HALF + i] = scale * ((pair >> 4 & 15) - 8);
            }
        }
    }

    @Override
    public void encode(float[] source, int at, int count, MemorySegment target, long offset) {
        for (int block = 0; block < count / BLOCK; block++) {
            int first = at + block * BLOCK;
            float extreme = 0;
            for (int i = 0; i < BLOCK; i++) {
                float value = source[first + i];
                if (Math.abs(value) > Math.abs(extreme)) {
                    extreme = value;
                }
            }
            float scale = extreme / -8;
            // The codes come from the scale before its rounding to float16, as GGML's reference encoder has it.
            float inverse = scale == 0 ? 0 : 1 / scale;
            byte[] codes = new byte[BLOCK];
            for (int i = 0; i < BLOCK; i++) {
                codes[i] = (byte) Math.min(15, (int) (source[first + i] * inverse + 8.5f));
            }
            pack(Float.floatToFloat16(scale), codes, 0, target, offset + (long) block * BYTES);
        }
    }

    /**
     * Writes one block.
     *
     * @param scale as float16 bits
     * @param codes from index {@code from}, 32 of them, 0 to 15
     */
    public static void pack(short scale, byte[] codes, int from, MemorySegment target, long offset) {
        target.set(LITTLE_SHORT, offset, scale);
        for (int i = 0; i < HALF; i++) {
            target.set(ValueLayout.JAVA_BYTE, offset + 2 + i, (byte) (codes[from + i] | codes[from + HALF + i] << 4));
        }
    }
}
