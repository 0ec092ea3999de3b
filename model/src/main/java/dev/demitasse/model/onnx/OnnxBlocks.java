package dev.demitasse.model.onnx;

import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.model.format.BlockScheme;
import dev.demitasse.model.format.BlockScheme.Offset;
import dev.demitasse.model.format.Levels;
import dev.demitasse.model.format.ScaleFormat;
import dev.demitasse.model.format.TensorFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;

/**
 * A block format as ONNX Runtime's MatMulNBits and GatherBlockQuantized take it (com.microsoft, docs/ContribOperators.md):
 * w = scale · (code − zero), codes unsigned, of 4 or 8 bits, consecutive ones from a byte's low half to its high half; the zero
 * is 8 or 128 where none is given. A tensor {@code [rows, columns]} of {@code blocks} blocks a row becomes
 *
 * <pre>
 * codes   uint8   [rows, blocks, bits · block size / 8]
 * scales  float16 [rows, blocks]
 * zeros   uint8   [rows, ⌈bits · blocks / 8⌉]             where blocks have zeros of their own
 * </pre>
 *
 * Every number comes back as it was. Formats whose blocks have a float minimum (Q4_1, Q5_1), scales of scales (K-quants) or
 * levels that are no integers (IQ4, NF4, MXFP4) have no such form.
 *
 * @param bits of a stored code; more than the format's own where that has 3 or 5
 */
public record OnnxBlocks(BlockFormat format, int bits) {
    private static final int SMALLEST_BLOCK = 16;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** How {@code format} is stored, if it can be. */
    public static Optional<OnnxBlocks> of(TensorFormat format) {
        if (!(format instanceof BlockFormat blocks) || format.rowScaled()) {
            return Optional.empty();
        }
        BlockScheme scheme = blocks.scheme();
        boolean plain = scheme.scaleCodes().isEmpty()
                && scheme.scaleFormat() == ScaleFormat.F16
                && Integer.bitCount(scheme.size()) == 1
                && scheme.size() >= SMALLEST_BLOCK
                && switch (scheme.offset()) {
                    case Offset.None none -> true;
                    case Offset.Zero zero -> true;
                    case Offset.Minimum minimum -> false;
                    case Offset.MinimumCodes codes -> false;
                };
        if (!plain) {
            return Optional.empty();
        }
        return switch (scheme.levels()) {
            case Levels.Table table -> Optional.empty();
            case Levels.Integers integers -> {
                boolean signed = !scheme.hasOffset();
                int greatest = signed ? 7 : 15;
                boolean small = integers.greatest() <= greatest && integers.least() >= (signed ? -8 : 0);
                yield Optional.of(new OnnxBlocks(blocks, small ? 4 : 8));
            }
        };
    }

    /** Whether blocks have zeros of their own. */
    public boolean hasZeros() {
        return format.scheme().hasOffset();
    }

    /** Blocks in a row. */
    public int blocks(int columns) {
        return columns / format.blockSize();
    }

    /** Bytes of a block's codes. */
    public int codeBytes() {
        return format.blockSize() * bits / 8;
    }

    /** Bytes of a row's zeros. */
    public int zeroBytes(int columns) {
        return Math.ceilDiv(blocks(columns) * bits, 8);
    }

    /** What stands for 0 where blocks have no zeros. */
    private int middle() {
        return 1 << bits - 1;
    }

    /**
     * Takes a row apart.
     *
     * @param row of the format, from its first byte
     * @param codes {@code [blocks · codeBytes]}, {@code scales [2 · blocks]}, {@code zeros [zeroBytes]}; all are overwritten,
     *     but zeros only where there are some
     */
    public void split(MemorySegment row, byte[] codes, byte[] scales, byte[] zeros) {
        BlockNumbers numbers = new BlockNumbers(format.scheme());
        MemorySegment halves = MemorySegment.ofArray(scales);
        int size = format.blockSize();
        int blocks = scales.length / Short.BYTES;
        Arrays.fill(codes, (byte) 0);
        Arrays.fill(zeros, (byte) 0);
        for (int block = 0; block < blocks; block++) {
            format.unpack(row, (long) block * format.bytesPerBlock(), numbers);
            halves.set(SHORT, (long) block * Short.BYTES, Float.floatToFloat16(numbers.scale));
            int bias = hasZeros() ? 0 : middle();
            for (int i = 0; i < size; i++) {
                put(codes, block * size + i, numbers.codes[i] + bias);
            }
            if (hasZeros()) {
                put(zeros, block, numbers.minimumCodes[0]);
            }
        }
    }

    /** Puts a row together, as {@link #split} took it apart. */
    public void join(byte[] codes, byte[] scales, byte[] zeros, MemorySegment row) {
        BlockNumbers numbers = new BlockNumbers(format.scheme());
        MemorySegment halves = MemorySegment.ofArray(scales);
        int size = format.blockSize();
        for (int block = 0; block < scales.length / Short.BYTES; block++) {
            numbers.scale = Float.float16ToFloat(halves.get(SHORT, (long) block * Short.BYTES));
            int bias = hasZeros() ? 0 : middle();
            for (int i = 0; i < size; i++) {
                numbers.codes[i] = (byte) (get(codes, block * size + i) - bias);
            }
            if (hasZeros()) {
                numbers.minimumCodes[0] = (byte) get(zeros, block);
            }
            format.pack(numbers, row, (long) block * format.bytesPerBlock());
        }
    }

    private void put(byte[] packed, int index, int code) {
        if (bits == 8) {
            packed[index] = (byte) code;
        } else {
            packed[index / 2] |= (byte) ((code & 15) << index % 2 * 4);
        }
    }

    private int get(byte[] packed, int index) {
        return bits == 8 ? packed[index] & 255 : packed[index / 2] >> index % 2 * 4 & 15;
    }
}
