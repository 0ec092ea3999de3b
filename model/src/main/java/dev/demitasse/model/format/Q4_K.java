package dev.demitasse.model.format;

import static dev.demitasse.model.format.ScalarFormat.LITTLE_SHORT;

import dev.demitasse.model.format.BlockScheme.Offset;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * GGML's Q4_K: 256 elements in eight sub-blocks of 32, w = (scale · scaleCode) · code − minimum · minimumCode, codes of 4
 * bits, scale and minimum codes of 6.
 * Bytes: {@code scale[2] minimum[2] subScales[12] nibbles[128]}; of each 64 elements the first half lies in the low, the
 * second in the high nibbles of 32 bytes. How the sub-scales lie, {@link SixBitPairs} says.
 */
public record Q4_K() implements BlockFormat {
    private static final BlockScheme SCHEME =
            BlockScheme.nested(256, 32, new Levels.Integers(0, 15), 0, 63, new Offset.MinimumCodes(63));
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
        target.set(LITTLE_SHORT, offset, Float.floatToFloat16(numbers.scale));
        target.set(LITTLE_SHORT, offset + 2, Float.floatToFloat16(numbers.minimum));
        SixBitPairs.pack(numbers, target, offset + 4);
        for (int i = 0; i < 128; i++) {
            int first = i / 32 * 64 + i % 32;
            int pair = numbers.codes[first] | numbers.codes[first + 32] << 4;
            target.set(ValueLayout.JAVA_BYTE, offset + HEAD + i, (byte) pair);
        }
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Float.float16ToFloat(source.get(LITTLE_SHORT, offset));
        numbers.minimum = Float.float16ToFloat(source.get(LITTLE_SHORT, offset + 2));
        SixBitPairs.unpack(source, offset + 4, numbers);
        for (int i = 0; i < 128; i++) {
            int pair = source.get(ValueLayout.JAVA_BYTE, offset + HEAD + i);
            int first = i / 32 * 64 + i % 32;
            numbers.codes[first] = (byte) (pair & 15);
            numbers.codes[first + 32] = (byte) (pair >> 4 & 15);
        }
    }
}
