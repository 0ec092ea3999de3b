package dev.demitasse.infer.packed;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.model.format.BlockScheme.Offset;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Interleaves the rows of a tensor, group by group, block of columns by block. In plain Java on eight codes at a time: it is
 * used when a model is opened, before a compiler would have understood vectors. Used by one thread.
 */
final class Packer {
    private static final VarHandle EIGHT_CODES =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle WORD = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle HALF = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long ONES = 0x0101010101010101L;
    private static final long SIGNS = ONES << 7;

    private final Tensor tensor;
    private final BlockFormat format;
    private final PackedLayout layout;
    private final Plane[] planes;
    private final int lanes;
    private final int headBytes;
    private final int planesAt;
    private final int stretches;
    private final int stretchBytes;

    /** What is added to every code, in each byte. */
    private final long biases;

    private final Offset offset;
    private final int subSize;
    private final BlockNumbers numbers;

    /** A block of all rows of a group. */
    private final byte[] packed;

    Packer(Tensor tensor, BlockFormat format, PackedLayout layout) {
        this.tensor = tensor;
        this.format = format;
        this.layout = layout;
        this.planes = layout.planes().toArray(Plane[]::new);
        this.lanes = layout.lanes();
        this.headBytes = layout.headBytes();
        this.planesAt = layout.planesAt();
        this.stretches = layout.stretches();
        this.stretchBytes = layout.stretchBytes();
        this.biases = layout.table().isEmpty() ? ONES * layout.bias() : 0;
        this.offset = format.scheme().offset();
        this.subSize = format.scheme().subSize();
        this.numbers = new BlockNumbers(format.scheme());
        this.packed = new byte[layout.blockBytes()];
    }

    /** Writes the group's blocks to {@code target} from {@code at}. */
    void pack(int group, MemorySegment target, long at) {
        int first = group * lanes;
        int rows = Math.min(tensor.rows() - first, lanes);
        int rowBytes = (int) tensor.rowBytes();
        MemorySegment source = tensor.data();
        long start = (long) first * rowBytes;
        Arrays.fill(packed, (byte) 0);
        for (int block = 0; block < tensor.columns() / layout.size(); block++) {
            long from = start + (long) block * format.bytesPerBlock();
            for (int lane = 0; lane < rows; lane++) {
                format.unpack(source, from + (long) lane * rowBytes, numbers);
                put(lane);
            }
            MemorySegment.copy(
                    packed, 0, target, ValueLayout.JAVA_BYTE, at + (long) block * packed.length, packed.length);
        }
    }

    private void put(int lane) {
        HALF.set(packed, 2 * lane, Float.floatToFloat16(numbers.scale));
        if (layout.minimum()) {
            HALF.set(packed, 2 * (lanes + lane), Float.floatToFloat16(minimum()));
        }
        int start = headBytes;
        for (int stretch = 0; stretch < stretches; stretch++, start += stretchBytes) {
            if (planesAt > 0) {
                putSubScales(start, stretch, lane);
            }
            for (Plane plane : planes) {
                int at = start + planesAt + lanes * plane.offset() + 4 * lane;
                putPlane(at, plane, stretch * PackedLayout.STRETCH);
            }
        }
    }

    /** What is taken off, or what its codes are multiplied by: of a zero, steps of the scale. */
    private float minimum() {
        return switch (offset) {
            case Offset.None none -> 0;
            case Offset.Minimum added -> -numbers.minimum;
            case Offset.MinimumCodes codes -> numbers.minimum;
            case Offset.Zero zero -> numbers.scale;
        };
    }

    private void putSubScales(int start, int stretch, int lane) {
        for (int part = 0; part < layout.parts(); part++) {
            int sub = (stretch * PackedLayout.STRETCH + part * PackedLayout.STRETCH / 2) / subSize;
            int at = start + part * lanes + lane;
            if (layout.scaleCodes()) {
                packed[at] = numbers.scaleCodes[sub];
            }
            if (layout.minimumCodes()) {
                packed[at + layout.minimumCodesAt()] = numbers.minimumCodes[sub];
            }
        }
    }

    /** A stretch's codes from {@code column}: each eight of them are two words' bytes, or two fields of the bytes of one. */
    private void putPlane(int at, Plane plane, int column) {
        int bits = plane.bits();
        int place = plane.place();
        int apart = 4 * lanes;
        long mask = ONES * ((1 << bits) - 1);
        int to = at;
        if (bits == 8) {
            for (int from = column; from < column + PackedLayout.STRETCH; from += 8, to += 2 * apart) {
                long eight = biased(from);
                WORD.set(packed, to, (int) eight);
                WORD.set(packed, to + apart, (int) (eight >>> Integer.SIZE));
            }
            return;
        }
        int fields = 0;
        int shift = 0;
        for (int from = column; from < column + PackedLayout.STRETCH; from += 8) {
            long eight = biased(from) >>> place & mask;
            fields |= (int) eight << shift | (int) (eight >>> Integer.SIZE) << shift + bits;
            shift += 2 * bits;
            if (shift == 8) {
                WORD.set(packed, to, fields);
                to += apart;
                fields = 0;
                shift = 0;
            }
        }
    }

    /** Eight codes with the bias added byte by byte, modulo 256: signs apart, so that nothing is carried to the next byte. */
    private long biased(int from) {
        long codes = (long) EIGHT_CODES.get(numbers.codes, from);
        return (codes & ~SIGNS) + (biases & ~SIGNS) ^ (codes ^ biases) & SIGNS;
    }
}
