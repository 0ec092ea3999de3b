package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * GGML's Q8_0: 32 elements as a float16 scale and 32 signed bytes; w = scale · code, scale = max|w| / 127.
 * Bytes: {@code scale[2] codes[32]}.
 */
public record Q8_0() implements BlockFormat {
    public static final int BLOCK = 32;
    private static final int BYTES = 2 + BLOCK;
    // −128 is left out: kernels that take magnitudes apart from signs cannot hold +128.
    private static final BlockScheme SCHEME = BlockScheme.scaled(BLOCK, new Levels.Integers(-127, 127));

    @Override
    public String id() {
        return "q8_0";
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
            float largest = 0;
            for (int i = 0; i < BLOCK; i++) {
                largest = Math.max(largest, Math.abs(source[first + i]));
            }
            float scale = largest / 127;
            // The codes come from the scale before its rounding to float16, as GGML's reference encoder has it.
            float inverse = scale == 0 ? 0 : 1 / scale;
            for (int i = 0; i < BLOCK; i++) {
                numbers.codes[i] = (byte) roundHalfAway(source[first + i] * inverse);
            }
            numbers.scale = scale;
            pack(numbers, target, offset + (long) block * BYTES);
        }
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        Halves.put(numbers.scale, target, offset);
        MemorySegment.copy(numbers.codes, 0, target, ValueLayout.JAVA_BYTE, offset + 2, BLOCK);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Halves.get(source, offset);
        MemorySegment.copy(source, ValueLayout.JAVA_BYTE, offset + 2, numbers.codes, 0, BLOCK);
    }

    private static int roundHalfAway(float value) {
        return (int) (value < 0 ? Math.ceil(value - 0.5) : Math.floor(value + 0.5));
    }
}
