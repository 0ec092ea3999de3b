package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;

/**
 * GGML's TQ2_0: 256 elements of which each is −scale, 0 or scale, in 2 bits; the scale is the largest magnitude.
 * Bytes: {@code quarters[64] scale[2]}; of each 128 elements 32 bytes hold the first 32 in their lowest two bits, the next 32
 * above them, and so on.
 */
public record TQ2_0() implements BlockFormat {
    static final BlockScheme TERNARY = BlockScheme.scaled(256, new Levels.Integers(-1, 1));

    private static final int SCALE = 64;
    private static final int BIAS = 1;
    private static final BitPlane QUARTERS = new BitPlane(32, 2);
    private static final BlockScheme SCHEME = TERNARY;

    @Override
    public String id() {
        return "tq2_0";
    }

    @Override
    public BlockScheme scheme() {
        return SCHEME;
    }

    @Override
    public int bytesPerBlock() {
        return SCALE + 2;
    }

    /** As GGML's reference encoder, whose bytes it gives. */
    @Override
    public void encode(float[] source, int at, int count, MemorySegment target, long offset) {
        TernaryEncoder.encode(this, source, at, count, target, offset);
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        QUARTERS.put(numbers.codes, BIAS, 0, target, offset);
        Halves.put(numbers.scale, target, offset + SCALE);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        QUARTERS.get(source, offset, numbers.codes, 0);
        BitPlane.subtract(BIAS, numbers.codes);
        numbers.scale = Halves.get(source, offset + SCALE);
    }
}
