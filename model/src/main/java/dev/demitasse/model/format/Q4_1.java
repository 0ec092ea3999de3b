package dev.demitasse.model.format;

import dev.demitasse.model.format.BlockScheme.Offset;
import java.lang.foreign.MemorySegment;

/**
 * GGML's Q4_1: 32 elements as a float16 scale, a float16 minimum and 32 codes of 4 bits; w = scale · code + minimum, the
 * scale a fifteenth of the range. Bytes: {@code scale[2] minimum[2] nibbles[16]}; byte i holds element i in its low and
 * element i + 16 in its high half.
 */
public record Q4_1() implements BlockFormat {
    private static final int CODES = 4;
    private static final BitPlane NIBBLES = new BitPlane(16, 4);
    private static final BlockScheme SCHEME = BlockScheme.offset(32, new Levels.Integers(0, 15), new Offset.Minimum());

    @Override
    public String id() {
        return "q4_1";
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
        NIBBLES.put(numbers.codes, 0, 0, target, offset + CODES);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Halves.get(source, offset);
        numbers.minimum = Halves.get(source, offset + 2);
        NIBBLES.get(source, offset + CODES, numbers.codes, 0);
    }
}
