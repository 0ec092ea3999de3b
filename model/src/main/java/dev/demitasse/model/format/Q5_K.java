package dev.demitasse.model.format;

import dev.demitasse.model.format.BlockScheme.Offset;
import java.lang.foreign.MemorySegment;

/**
 * GGML's Q5_K: 256 elements in eight sub-blocks of 32, w = (scale · scaleCode) · code − minimum · minimumCode, codes of 5
 * bits, scale and minimum codes of 6. Bytes: {@code scale[2] minimum[2] subScales[12] fifthBits[32] nibbles[128]}; as
 * {@link Q4_K}, and bit j of byte i of the fifth bits is that of element 32 · j + i.
 */
public record Q5_K() implements BlockFormat {
    private static final int SUB_SCALES = 4;
    private static final int FIFTH = SUB_SCALES + SixBitPairs.BYTES;
    private static final int CODES = FIFTH + 32;
    private static final BitPlane FIFTH_BITS = new BitPlane(32, 1);
    private static final BitPlane NIBBLES = new BitPlane(32, 4);
    private static final BlockScheme SCHEME =
            BlockScheme.nested(256, 32, new Levels.Integers(0, 31), 0, 63, new Offset.MinimumCodes(63));

    @Override
    public String id() {
        return "q5_k";
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
        Halves.put(numbers.minimum, target, offset + 2);
        SixBitPairs.pack(numbers, target, offset + SUB_SCALES);
        FIFTH_BITS.put(numbers.codes, 0, 4, target, offset + FIFTH);
        NIBBLES.put(numbers.codes, 0, 0, target, offset + CODES);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Halves.get(source, offset);
        numbers.minimum = Halves.get(source, offset + 2);
        SixBitPairs.unpack(source, offset + SUB_SCALES, numbers);
        NIBBLES.get(source, offset + CODES, numbers.codes, 0);
        FIFTH_BITS.get(source, offset + FIFTH, numbers.codes, 4);
    }
}
