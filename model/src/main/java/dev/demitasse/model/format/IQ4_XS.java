package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;

/**
 * GGML's IQ4_XS: 256 elements in eight sub-blocks of 32, w = (scale · scaleCode) · level(code), codes of 4 bits with the
 * levels of {@link IQ4_NL}, scale codes of 6, from −32. Bytes: {@code scale[2] upper[2] lower[4] nibbles[128]}; scale code i has
 * its lower four bits in half i % 2 of byte i / 2 of the lower ones, its upper two at bit 2 · i of the upper ones; the nibbles
 * of a sub-block lie in 16 bytes, its first half low, its second high.
 */
public record IQ4_XS() implements BlockFormat {
    private static final int UPPER = 2;
    private static final int LOWER = 4;
    private static final int CODES = 8;
    private static final int SCALE_BIAS = 32;
    private static final BitPlane NIBBLES = new BitPlane(16, 4);
    private static final BitPlane SCALE_NIBBLES = new BitPlane(1, 4);
    private static final BitPlane SCALE_QUARTERS = new BitPlane(1, 2);
    private static final BlockScheme SCHEME =
            BlockScheme.nested(256, 32, IQ4_NL.LEVELS, -SCALE_BIAS, SCALE_BIAS - 1, new BlockScheme.Offset.None());

    @Override
    public String id() {
        return "iq4_xs";
    }

    @Override
    public BlockScheme scheme() {
        return SCHEME;
    }

    @Override
    public int bytesPerBlock() {
        return CODES + 128;
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        Halves.put(numbers.scale, target, offset);
        SCALE_QUARTERS.put(numbers.scaleCodes, SCALE_BIAS, 4, target, offset + UPPER);
        SCALE_NIBBLES.put(numbers.scaleCodes, SCALE_BIAS, 0, target, offset + LOWER);
        NIBBLES.put(numbers.codes, 0, 0, target, offset + CODES);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Halves.get(source, offset);
        SCALE_NIBBLES.get(source, offset + LOWER, numbers.scaleCodes, 0);
        SCALE_QUARTERS.get(source, offset + UPPER, numbers.scaleCodes, 4);
        BitPlane.subtract(SCALE_BIAS, numbers.scaleCodes);
        NIBBLES.get(source, offset + CODES, numbers.codes, 0);
    }
}
