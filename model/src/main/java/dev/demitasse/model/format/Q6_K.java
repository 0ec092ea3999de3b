package dev.demitasse.model.format;

import dev.demitasse.model.format.BlockScheme.Offset;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * GGML's Q6_K: 256 elements in 16 sub-blocks of 16, w = (scale · scaleCode) · (code − 32), codes of 6 bits, scale codes of 8.
 * Bytes: {@code nibbles[128] upper[64] scaleCodes[16] scale[2]}; of each 128 elements 64 bytes hold the lower four bits of the
 * first 64 low, of the next 64 high; 32 bytes hold the upper two bits of the first 32 lowest, of the next 32 above them,
 * and so on.
 */
public record Q6_K() implements BlockFormat {
    private static final int UPPER = 128;
    private static final int SCALE_CODES = UPPER + 64;
    private static final int SCALE = SCALE_CODES + 16;
    private static final int BIAS = 32;
    private static final BitPlane NIBBLES = new BitPlane(64, 4);
    private static final BitPlane UPPER_BITS = new BitPlane(32, 2);
    private static final BlockScheme SCHEME =
            BlockScheme.nested(256, 16, new Levels.Integers(-BIAS, BIAS - 1), -128, 127, new Offset.None());

    @Override
    public String id() {
        return "q6_k";
    }

    @Override
    public BlockScheme scheme() {
        return SCHEME;
    }

    @Override
    public int bytesPerBlock() {
        return SCALE + 2;
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        NIBBLES.put(numbers.codes, BIAS, 0, target, offset);
        UPPER_BITS.put(numbers.codes, BIAS, 4, target, offset + UPPER);
        MemorySegment.copy(numbers.scaleCodes, 0, target, ValueLayout.JAVA_BYTE, offset + SCALE_CODES, 16);
        Halves.put(numbers.scale, target, offset + SCALE);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        NIBBLES.get(source, offset, numbers.codes, 0);
        UPPER_BITS.get(source, offset + UPPER, numbers.codes, 4);
        BitPlane.subtract(BIAS, numbers.codes);
        MemorySegment.copy(source, ValueLayout.JAVA_BYTE, offset + SCALE_CODES, numbers.scaleCodes, 0, 16);
        numbers.scale = Halves.get(source, offset + SCALE);
    }
}
