package dev.demitasse.model.format;

import static dev.demitasse.model.format.ScalarFormat.LITTLE_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * GGML's Q8_0: 32 elements as a float16 scale and 32 signed bytes; w = scale · code, scale = max|w| / 127.
 * Bytes: {@code scale[2] codes[32]}.
 */
public record Q8_0() implements BlockFormat {
    public static final int BLOCK = 32;
    private static final int BYTES = 2 + BLOCK;

    @Override
    public String id() {
        return "q8_0";
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
            for (int i = 0; i < BLOCK; i++) {
                target[at + block * BLOCK + i] = scale * source.get(ValueLayout.JAVA_BYTE, start + 2 + i);
            }
        }
    }

    @Override
    public void encode(float[] source, int at, int count, MemorySegment target, long offset) {
        for (int block = 0; block < count / BLOCK; block++) {
            int first = at + block * BLOCK;
            float largest = 0;
            for (int i = 0; i < BLOCK; i++) {
                largest = Math.max(largest, Math.abs(source[first + i]));
            }
            float scale = largest / 127;
            // The codes come from the scale before its rounding to float16, as GGML's reference encoder has it.
            float inverse = scale == 0 ? 0 : 1 / scale;
            byte[] codes = new byte[BLOCK];
            for (int i = 0; i < BLOCK; i++) {
                codes[i] = (byte) roundHalfAway(source[first + i] * inverse);
            }
            pack(Float.floatToFloat16(scale), codes, 0, target, offset + (long) block * BYTES);
        }
    }

    /**
     * Writes one block.
     *
     * @param scale as float16 bits
     * @param codes from index {@code from}, 32 of them, -128 to 127
     */
    public static void pack(short scale, byte[] codes, int from, MemorySegment target, long offset) {
        target.set(LITTLE_SHORT, offset, scale);
        MemorySegment.copy(codes, from, target, ValueLayout.JAVA_BYTE, offset + 2, BLOCK);
    }

    private static int roundHalfAway(float value) {
        return (int) (value < 0 ? Math.ceil(value - 0.5) : Math.floor(value + 0.5));
    }
}
