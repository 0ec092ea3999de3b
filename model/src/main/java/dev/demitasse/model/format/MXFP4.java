package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * MXFP4 (OCP Microscaling Formats 1.0, §5.3) as GGML stores it: 32 numbers of E2M1 and a power of two they share;
 * w = 2^(exponent − 128) · level(code) with twice E2M1's numbers as levels, so that they are whole.
 * Bytes: {@code exponent[1] nibbles[16]}; byte i holds element i in its low and element i + 16 in its high half, a nibble
 * the sign above three bits of magnitude. −0 is read as 0.
 */
public record MXFP4() implements BlockFormat {
    private static final int BLOCK = 32;
    private static final BitPlane NIBBLES = new BitPlane(16, 4);
    /** Twice the magnitudes of E2M1. */
    private static final int[] MAGNITUDES = {0, 1, 2, 3, 4, 6, 8, 12};

    private static final int ZERO = MAGNITUDES.length - 1;
    private static final BlockScheme SCHEME = new BlockScheme(
            BLOCK, BLOCK, levels(), ScaleFormat.E8M0, java.util.Optional.empty(), new BlockScheme.Offset.None());

    private static Levels.Table levels() {
        float[] levels = new float[2 * ZERO + 1];
        for (int i = 0; i < MAGNITUDES.length; i++) {
            levels[ZERO - i] = -MAGNITUDES[i];
            levels[ZERO + i] = MAGNITUDES[i];
        }
        return new Levels.Table(levels);
    }

    @Override
    public String id() {
        return "mxfp4";
    }

    @Override
    public BlockScheme scheme() {
        return SCHEME;
    }

    @Override
    public int bytesPerBlock() {
        return 1 + BLOCK / 2;
    }

    /** As GGML's reference encoder, whose bytes it gives: the largest magnitude's power of two is the level 4's. */
    @Override
    public void encode(float[] source, int at, int count, MemorySegment target, long offset) {
        BlockNumbers numbers = new BlockNumbers(SCHEME);
        for (int block = 0; block < count / BLOCK; block++) {
            int first = at + block * BLOCK;
            float largest = 0;
            for (int i = 0; i < BLOCK; i++) {
                largest = Math.max(largest, Math.abs(source[first + i]));
            }
            numbers.scale = ScaleFormat.E8M0.round(largest == 0 ? 0 : Math.scalb(1.0, Math.getExponent(largest) - 3));
            for (int i = 0; i < BLOCK; i++) {
                numbers.codes[i] = (byte) nearest(source[first + i], numbers.scale);
            }
            pack(numbers, target, offset + (long) block * bytesPerBlock());
        }
    }

    /** Of two levels equally near the smaller magnitude. */
    private static int nearest(float value, float scale) {
        int best = 0;
        for (int i = 1; i < MAGNITUDES.length; i++) {
            if (Math.abs(MAGNITUDES[i] * scale - Math.abs(value))
                    < Math.abs(MAGNITUDES[best] * scale - Math.abs(value))) {
                best = i;
            }
        }
        return value < 0 ? ZERO - best : ZERO + best;
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        target.set(ValueLayout.JAVA_BYTE, offset, ScaleFormat.exponentCode(numbers.scale));
        byte[] nibbles = new byte[BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            int signed = numbers.codes[i] - ZERO;
            nibbles[i] = (byte) (signed < 0 ? 8 - signed : signed);
        }
        NIBBLES.put(nibbles, 0, 0, target, offset + 1);
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        numbers.scale = ScaleFormat.ofExponentCode(source.get(ValueLayout.JAVA_BYTE, offset));
        NIBBLES.get(source, offset + 1, numbers.codes, 0);
        for (int i = 0; i < BLOCK; i++) {
            int nibble = numbers.codes[i];
            numbers.codes[i] = (byte) (nibble < 8 ? ZERO + nibble : ZERO + 8 - nibble);
        }
    }
}
