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
    private static final BlockScheme SCHEME = BlockScheme.scaled(BLOCK, new Levels.Integers(-8, 7));

    @Override
    public String id() {
        return "q4_0";
    }

    @Override
    public BlockScheme scheme() {
        return SCHEME;
    }

    @Override
    public int bytesPerBlock() {
        return BYTES;
    }

    @Override
    public void encode(float[] source, int at, int count, MemorySegment target, long offset) {
        BlockNumbers numbers = new BlockNumbers(SCHEME);
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
            for (int i = 0; i < BLOCK; i++) {
                numbers.codes[i] = (byte) (Math.min(15, (int) (source[first + i] * inverse + 8.5f)) - 8);
            }
            numbers.scale = scale;
            pack(numbers, target, offset + (long) block * BYTES);
        }
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        target.set(LITTLE_SHORT, offset, Float.floatToFloat16(numbers.scale));
        for (int i = 0; i < HALF; i++) {
            int pair = numbers.codes[i] + 8 | numbers.codes[HALF + i] + 8 << 4;
            target.set(ValueLayout.JAVA_BYTE, offset + 2 + i, (byte) pair);
        }
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Float.float16ToFloat(source.get(LITTLE_SHORT, offset));
        for (int i = 0; i < HALF; i++) {
            int pair = source.get(ValueLayout.JAVA_BYTE, offset + 2 + i);
            numbers.codes[i] = (byte) ((pair & 15) - 8);
            numbers.codes[HALF + i] = (byte) ((pair >> 4 & 15) - 8);
        }
    }
}
