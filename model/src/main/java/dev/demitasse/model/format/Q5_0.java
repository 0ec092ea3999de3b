package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;

/**
 * GGML's Q5_0: 32 elements as a float16 scale and 32 codes of 5 bits; w = scale · (code − 16). The scale is the element of
 * largest magnitude divided by −16, as in {@link Q4_0}. Bytes: {@code scale[2] fifthBits[4] nibbles[16]}; byte i of the
 * nibbles holds element i in its low and element i + 16 in its high half, bit i of the fifth bits is element i's.
 */
public record Q5_0() implements BlockFormat {
    private static final int FIFTH = 2;
    private static final int CODES = 6;
    private static final int BIAS = 16;
    private static final BitPlane NIBBLES = new BitPlane(16, 4);
    private static final BitPlane FIFTH_BITS = new BitPlane(1, 1);
    private static final BlockScheme SCHEME = BlockScheme.scaled(32, new Levels.Integers(-BIAS, BIAS - 1));

    @Override
    public String id() {
        return "q5_0";
    }

    @Override
    public BlockScheme scheme() {
        return SCHEME;
    }

    @Override
    public int bytesPerBlock() {
        return CODES + 16;
    }

    /** As GGML's reference encoder, whose bytes it gives. */
    @Override
    public void encode(float[] source, int at, int count, MemorySegment target, long offset) {
        ExtremeEncoder.encode(this, source, at, count, target, offset);
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        Halves.put(numbers.scale, target, offset);
        FIFTH_BITS.put(numbers.codes, BIAS, 4, target, offset + FIFTH);
        NIBBLES.put(numbers.codes, BIAS, 0, target, offset + CODES);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Halves.get(source, offset);
        NIBBLES.get(source, offset + CODES, numbers.codes, 0);
        FIFTH_BITS.get(source, offset + FIFTH, numbers.codes, 4);
        BitPlane.subtract(BIAS, numbers.codes);
    }
}
