package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * GGML's TQ1_0: 256 elements of which each is −scale, 0 or scale, five to a byte as digits of base 3; the scale is the
 * largest magnitude. Bytes: {@code fives[48] fours[4] scale[2]}. The first 32 bytes hold elements i, 32 + i … 128 + i, the
 * next 16 elements 160 + i, 176 + i … 224 + i, the last 4 elements 240 + i … 252 + i.
 *
 * <p>A byte is ⌈256 n / 243⌉ where n has the digits (four are followed by a zero): multiplied by 3ᵏ modulo 256, its
 * digit k is what the product by 3 carries past the byte.
 */
public record TQ1_0() implements BlockFormat {
    private static final int CODES = 256;
    private static final int SCALE = 52;
    private static final int DIGITS = 5;
    private static final int POWER = 243;

    @Override
    public String id() {
        return "tq1_0";
    }

    @Override
    public BlockScheme scheme() {
        return TQ2_0.TERNARY;
    }

    @Override
    public int bytesPerBlock() {
        return SCALE + Halves.BYTES;
    }

    /** As GGML's reference encoder, whose bytes it gives. */
    @Override
    public void encode(float[] source, int at, int count, MemorySegment target, long offset) {
        TernaryEncoder.encode(this, source, at, count, target, offset);
    }

    @Override
    public void pack(BlockNumbers numbers, MemorySegment target, long offset) {
        pack(numbers.codes, 0, 32, target, offset);
        pack(numbers.codes, 160, 16, target, offset + 32);
        pack(numbers.codes, 240, 4, target, offset + 48);
        Halves.put(numbers.scale, target, offset + SCALE);
    }

    private static void pack(byte[] codes, int first, int stride, MemorySegment target, long offset) {
        for (int i = 0; i < stride; i++) {
            int number = 0;
            for (int digit = 0; digit < DIGITS; digit++) {
                int element = first + digit * stride + i;
                number = 3 * number + (element < CODES ? codes[element] + 1 : 0);
            }
            target.set(ValueLayout.JAVA_BYTE, offset + i, (byte) ((256 * number + POWER - 1) / POWER));
        }
    }

    @Override
    public void unpack(MemorySegment source, long offset, BlockNumbers numbers) {
        unpack(source, offset, numbers.codes, 0, 32);
        unpack(source, offset + 32, numbers.codes, 160, 16);
        unpack(source, offset + 48, numbers.codes, 240, 4);
        numbers.scale = Halves.get(source, offset + SCALE);
    }

    private static void unpack(MemorySegment source, long offset, byte[] codes, int first, int stride) {
        for (int i = 0; i < stride; i++) {
            int left = source.get(ValueLayout.JAVA_BYTE, offset + i) & 0xff;
            for (int element = first + i; element < Math.min(CODES, first + DIGITS * stride); element += stride) {
                codes[element] = (byte) ((3 * left >> 8) - 1);
                left = 3 * left & 0xff;
            }
        }
    }
}
