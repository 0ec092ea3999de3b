package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;

/**
 * GGML's Q4_0: 32 elements as a float16 scale and 32 codes of 4 bits; w = scale · (code − 8). The scale is the element
 * of largest magnitude divided by −8, so that this element, sign kept, is met exactly by code 0.
 * Bytes: {@code scale[2] nibbles[16]}; byte i holds element i in its low and element i + 16 in its high half.
 */
public record Q4_0() implements BlockFormat {
    public static final int BLOCK = 32;
    private static final int BIAS = 8;
    private static final BitPlane NIBBLES = new BitPlane(BLOCK / 2, 4);
    private static final BlockScheme SCHEME = BlockScheme.scaled(BLOCK, new Levels.Integers(-BIAS, BIAS - 1));

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
        return Halves.BYTES + BLOCK / 2;
    }

    /** As GGML's reference encoder, whose bytes it gives. */
    @Override
    public void encode(float[] source, int at, int count, MemorySegment target, long offset) {
        ExtremeEncoder.encode(this, source, at, count, target, offset);
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        Halves.put(numbers.scale, target, offset);
        NIBBLES.put(numbers.codes, BIAS, 0, target, offset + Halves.BYTES);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Halves.get(source, offset);
        NIBBLES.get(source, offset + Halves.BYTES, numbers.codes, 0);
        BitPlane.subtract(BIAS, numbers.codes);
    }
}
