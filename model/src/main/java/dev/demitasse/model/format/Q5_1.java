package dev.demitasse.model.format;

import dev.demitasse.model.format.BlockScheme.Offset;
import java.lang.foreign.MemorySegment;

/**
 * GGML's Q5_1: 32 elements as a float16 scale, a float16 minimum and 32 codes of 5 bits; w = scale · code + minimum, the
 * scale a thirty-first of the range. Bytes: {@code scale[2] minimum[2] fifthBits[4] nibbles[16]}; byte i of the nibbles
 * holds element i in its low and element i + 16 in its high half, bit i of the fifth bits is element i's.
 */
public record Q5_1() implements BlockFormat {
    private static final int FIFTH = 4;
    private static final int CODES = 8;
    private static final BitPlane NIBBLES = new BitPlane(16, 4);
    private static final BitPlane FIFTH_BITS = new BitPlane(1, 1);
    private static final BlockScheme SCHEME = BlockScheme.offset(32, new Levels.Integers(0, 31), new Offset.Minimum());

    @Override
    public String id() {
        return "q5_1";
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
        RangeEncoder.encode(this, source, at, count, target, offset);
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        Halves.put(numbers.scale, target, offset);
        Halves.put(numbers.minimum, target, offset + 2);
        FIFTH_BITS.put(numbers.codes, 0, 4, target, offset + FIFTH);
        NIBBLES.put(numbers.codes, 0, 0, target, offset + CODES);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Halves.get(source, offset);
        numbers.minimum = Halves.get(source, offset + 2);
        NIBBLES.get(source, offset + CODES, numbers.codes, 0);
        FIFTH_BITS.get(source, offset + FIFTH, numbers.codes, 4);
    }
}
