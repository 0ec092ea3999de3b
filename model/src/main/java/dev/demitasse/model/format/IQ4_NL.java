package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;

/**
 * GGML's IQ4_NL: 32 elements as a float16 scale and 32 codes of 4 bits, w = scale · level(code) with levels closer together
 * around 0. Bytes: {@code scale[2] nibbles[16]}; byte i holds element i in its low and element i + 16 in its high half.
 */
public record IQ4_NL() implements BlockFormat {
    /** {@code kvalues_iq4nl} of ggml-common.h. */
    static final Levels.Table LEVELS =
            new Levels.Table(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

    private static final BitPlane NIBBLES = new BitPlane(16, 4);
    private static final BlockScheme SCHEME = BlockScheme.scaled(32, LEVELS);

    @Override
    public String id() {
        return "iq4_nl";
    }

    @Override
    public BlockScheme scheme() {
        return SCHEME;
    }

    @Override
    public int bytesPerBlock() {
        return 2 + 16;
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        Halves.put(numbers.scale, target, offset);
        NIBBLES.put(numbers.codes, 0, 0, target, offset + 2);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Halves.get(source, offset);
        NIBBLES.get(source, offset + 2, numbers.codes, 0);
    }
}
