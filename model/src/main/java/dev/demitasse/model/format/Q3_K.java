package dev.demitasse.model.format;

import dev.demitasse.model.format.BlockScheme.Offset;
import java.lang.foreign.MemorySegment;

/**
 * GGML's Q3_K: 256 elements in 16 sub-blocks of 16, w = (scale · scaleCode) · (code − 4), codes of 3 bits, scale codes of
 * 6, from −32. Bytes: {@code thirdBits[32] quarters[64] subScales[12] scale[2]}; bit j of byte i of the third bits is that of
 * element 32 · j + i; of each 128 elements 32 bytes hold the lower two bits of the first 32 lowest, of the next 32 above
 * them, and so on. Byte i of the sub-scales holds the lower four bits of scale code i low and of i + 8 high; the upper two of
 * scale code 4 · j + i are at bit 2 · j of byte 8 + i.
 */
public record Q3_K() implements BlockFormat {
    private static final int CODES = 32;
    private static final int SUB_SCALES = CODES + 64;
    private static final int SCALE = SUB_SCALES + 12;
    private static final int SCALE_BIAS = 32;
    private static final int BIAS = 4;
    private static final BitPlane THIRD_BITS = new BitPlane(32, 1);
    private static final BitPlane QUARTERS = new BitPlane(32, 2);
    private static final BitPlane SCALE_NIBBLES = new BitPlane(8, 4);
    private static final BitPlane SCALE_QUARTERS = new BitPlane(4, 2);
    private static final BlockScheme SCHEME = BlockScheme.nested(
            256, 16, new Levels.Integers(-BIAS, BIAS - 1), -SCALE_BIAS, SCALE_BIAS - 1, new Offset.None());

    @Override
    public String id() {
        return "q3_k";
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
        THIRD_BITS.put(numbers.codes, BIAS, 2, target, offset);
        QUARTERS.put(numbers.codes, BIAS, 0, target, offset + CODES);
        SCALE_NIBBLES.put(numbers.scaleCodes, SCALE_BIAS, 0, target, offset + SUB_SCALES);
        SCALE_QUARTERS.put(numbers.scaleCodes, SCALE_BIAS, 4, target, offset + SUB_SCALES + 8);
        Halves.put(numbers.scale, target, offset + SCALE);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        QUARTERS.get(source, offset + CODES, numbers.codes, 0);
        THIRD_BITS.get(source, offset, numbers.codes, 2);
        BitPlane.subtract(BIAS, numbers.codes);
        SCALE_NIBBLES.get(source, offset + SUB_SCALES, numbers.scaleCodes, 0);
        SCALE_QUARTERS.get(source, offset + SUB_SCALES + 8, numbers.scaleCodes, 4);
        BitPlane.subtract(SCALE_BIAS, numbers.scaleCodes);
        numbers.scale = Halves.get(source, offset + SCALE);
    }
}
