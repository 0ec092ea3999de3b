package dev.demitasse.model.format;

import dev.demitasse.model.format.BlockScheme.Offset;
import java.lang.foreign.MemorySegment;

/**
 * GGML's Q4_K: 256 elements in eight sub-blocks of 32, w = (scale · scaleCode) · code − minimum · minimumCode, codes of 4
 * bits, scale and minimum codes of 6.
 * Bytes: {@code scale[2] minimum[2] subScales[12] nibbles[128]}; of each 64 elements the first half lies in the low, the
 * second in the high nibbles of 32 bytes. How the sub-scales lie, {@link SixBitPairs} says.
 */
public record Q4_K() implements BlockFormat {
    private static final BlockScheme SCHEME =
            BlockScheme.nested(256, 32, new Levels.Integers(0, 15), 0, 63, new Offset.MinimumCodes(63));
    private static final BitPlane NIBBLES = new BitPlane(32, 4);
    private static final int HEAD = 4 + SixBitPairs.BYTES;

    @Override
    public String id() {
        return "q4_k";
    }

    @Override
    public BlockScheme scheme() {
        return SCHEME;
    }

    @Override
    public int bytesPerBlock() {
        return HEAD + 128;
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        Halves.put(numbers.scale, target, offset);
        Halves.put(numbers.minimum, target, offset + 2);
        SixBitPairs.pack(numbers, target, offset + 4);
        NIBBLES.put(numbers.codes, 0, 0, target, offset + HEAD);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Halves.get(source, offset);
        numbers.minimum = Halves.get(source, offset + 2);
        SixBitPairs.unpack(source, offset + 4, numbers);
        NIBBLES.get(source, offset + HEAD, numbers.codes, 0);
    }
}
