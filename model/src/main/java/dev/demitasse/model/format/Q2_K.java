package dev.demitasse.model.format;

import dev.demitasse.model.format.BlockScheme.Offset;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * GGML's Q2_K: 256 elements in 16 sub-blocks of 16, w = (scale · scaleCode) · code − minimum · minimumCode, codes of 2
 * bits, scale and minimum codes of 4. Bytes: {@code codes16[16] quarters[64] scale[2] minimum[2]}; a byte of the first
 * sixteen holds a sub-block's scale code low and its minimum code high; of each 128 elements 32 bytes hold the first 32
 * in their lowest two bits, the next 32 above them, and so on.
 */
public record Q2_K() implements BlockFormat {
    private static final int SUB_BLOCKS = 16;
    private static final int SCALE = SUB_BLOCKS + 64;
    private static final BitPlane QUARTERS = new BitPlane(32, 2);
    private static final BlockScheme SCHEME =
            BlockScheme.nested(256, 16, new Levels.Integers(0, 3), 0, 15, new Offset.MinimumCodes(15));

    @Override
    public String id() {
        return "q2_k";
    }

    @Override
    public BlockScheme scheme() {
        return SCHEME;
    }

    @Override
    public int bytesPerBlock() {
        return SCALE + 4;
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        for (int i = 0; i < SUB_BLOCKS; i++) {
            int pair = numbers.scaleCodes[i] | numbers.minimumCodes[i] << 4;
            target.set(ValueLayout.JAVA_BYTE, offset + i, (byte) pair);
        }
        QUARTERS.put(numbers.codes, 0, 0, target, offset + SUB_BLOCKS);
        Halves.put(numbers.scale, target, offset + SCALE);
        Halves.put(numbers.minimum, target, offset + SCALE + 2);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        for (int i = 0; i < SUB_BLOCKS; i++) {
            int pair = source.get(ValueLayout.JAVA_BYTE, offset + i);
            numbers.scaleCodes[i] = (byte) (pair & 15);
            numbers.minimumCodes[i] = (byte) (pair >> 4 & 15);
        }
        QUARTERS.get(source, offset + SUB_BLOCKS, numbers.codes, 0);
        numbers.scale = Halves.get(source, offset + SCALE);
        numbers.minimum = Halves.get(source, offset + SCALE + 2);
    }
}
