package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * NormalFloat of 4 bits (Dettmers et al., QLoRA, arXiv:2305.14314, §3 and appendix E): 64 elements as codes of 16 levels,
 * which are quantiles of the normal distribution, times the block's scale; scales are quantized again.
 * Bytes: {@code scale[1] pairs[32]}; byte i of the pairs holds element 2i in its high and element 2i + 1 in its low half,
 * as bitsandbytes packs them.
 *
 * <p>Deviation: QLoRA takes the mean off scales and stores them in a dynamic 8-bit type, with a float32 for each 256 of them.
 * Here a scale is a number of {@link ScaleFormat#E4M3}, relative to a float32 for each row of the matrix that stands beside it
 * ({@link #rowScaled}): rows stay whole, and 4.125 bits and a row's 32 take the place of 4.127.
 */
public record NF4() implements BlockFormat {
    private static final int BLOCK = 64;

    /** {@code create_normal_map} of bitsandbytes; the paper's table. */
    public static final Levels.Table LEVELS = new Levels.Table(
            -1.0f,
            -0.6961928009986877f,
            -0.5250730514526367f,
            -0.39491748809814453f,
            -0.28444138169288635f,
            -0.18477343022823334f,
            -0.09105003625154495f,
            0.0f,
            0.07958029955625534f,
            0.16093020141124725f,
            0.24611230194568634f,
            0.33791524171829224f,
            0.44070982933044434f,
            0.5626170039176941f,
            0.7229568362236023f,
            1.0f);

    private static final BlockScheme SCHEME =
            new BlockScheme(BLOCK, BLOCK, LEVELS, ScaleFormat.E4M3, Optional.empty(), new BlockScheme.Offset.None());

    @Override
    public String id() {
        return "nf4";
    }

    @Override
    public BlockScheme scheme() {
        return SCHEME;
    }

    @Override
    public int bytesPerBlock() {
        return 1 + BLOCK / 2;
    }

    @Override
    public boolean rowScaled() {
        return true;
    }

    @Override
    public float largest() {
        return Float8.LARGEST;
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        target.set(ValueLayout.JAVA_BYTE, offset, Float8.of(numbers.scale));
        for (int i = 0; i < BLOCK / 2; i++) {
            int pair = numbers.codes[2 * i] << 4 | numbers.codes[2 * i + 1];
            target.set(ValueLayout.JAVA_BYTE, offset + 1 + i, (byte) pair);
        }
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = Float8.toFloat(source.get(ValueLayout.JAVA_BYTE, offset));
        for (int i = 0; i < BLOCK / 2; i++) {
            int pair = source.get(ValueLayout.JAVA_BYTE, offset + 1 + i);
            numbers.codes[2 * i] = (byte) (pair >> 4 & 15);
            numbers.codes[2 * i + 1] = (byte) (pair & 15);
        }
    }
}
