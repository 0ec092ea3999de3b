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
import java.util.List;

/** Interleaves the rows of a tensor, group by group. Used by one thread. */
final class Packer {
    private static final VarHandle FOUR_CODES =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Tensor tensor;
    private final BlockFormat format;
    private final PackedLayout layout;
    private final List<Plane> planes;
    private final Offset offset;
    private final int subSize;
    private final BlockNumbers numbers;

    Packer(Tensor tensor, BlockFormat format, PackedLayout layout) {
        this.tensor = tensor;
        this.format = format;
        this.layout = layout;
        this.planes = layout.planes();
        this.offset = format.scheme().offset();
        this.subSize = format.scheme().subSize();
        this.numbers = new BlockNumbers(format.scheme());
    }

    /** Writes the group's blocks to {@code target} from {@code at}. */
    void pack(int group, MemorySegment target, long at) {
        int first = group * layout.lanes();
        int last = Math.min(tensor.rows(), first + layout.lanes());
        int blocks = tensor.columns() / layout.size();
        for (int row = first; row < last; row++) {
            long from = row * tensor.rowBytes();
            for (int block = 0; block < blocks; block++) {
                format.unpack(tensor.data(), from + (long) block * format.bytesPerBlock(), numbers);
                put(target, at + (long) block * layout.blockBytes(), row - first);
            }
        }
    }

    private void put(MemorySegment target, long block, int lane) {
        target.set(SHORT, block + 2L * lane, Float.floatToFloat16(numbers.scale));
        if (layout.minimum()) {
            target.set(SHORT, block + 2L * (layout.lanes() + lane), Float.floatToFloat16(minimum()));
        }
        if (layout.table().isEmpty() && layout.bias() != 0) {
            byte[] codes = numbers.codes;
            for (int i = 0; i < codes.length; i++) {
                codes[i] += (byte) layout.bias();
            }
        }
        for (int stretch = 0; stretch < layout.stretches(); stretch++) {
            long start = block + layout.headBytes() + (long) stretch * layout.stretchBytes();
            putSubScales(target, start, stretch, lane);
            for (Plane plane : planes) {
                long at = start + layout.planesAt() + (long) layout.lanes() * plane.offset();
                putPlane(target, at, plane, stretch * PackedLayout.STRETCH, lane);
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

    private void putSubScales(MemorySegment target, long start, int stretch, int lane) {
        for (int part = 0; part < layout.parts(); part++) {
            int sub = (stretch * PackedLayout.STRETCH + part * PackedLayout.STRETCH / 2) / subSize;
            long at = start + (long) part * layout.lanes() + lane;
            if (layout.scaleCodes()) {
                target.set(ValueLayout.JAVA_BYTE, at, numbers.scaleCodes[sub]);
            }
            if (layout.minimumCodes()) {
                target.set(ValueLayout.JAVA_BYTE, at + layout.minimumCodesAt(), numbers.minimumCodes[sub]);
            }
        }
    }

    private void putPlane(MemorySegment target, long at, Plane plane, int column, int lane) {
        int mask = plane.mask();
        for (int vector = 0; vector < plane.vectors(); vector++) {
            int first = column + vector * 4 * plane.fields();
            int packed = 0;
            for (int field = 0; field < plane.fields(); field++) {
                int codes = (int) FOUR_CODES.get(numbers.codes, first + 4 * field);
                packed |= (codes >>> plane.place() & mask) << plane.bits() * field;
            }
            target.set(INT, at + 4L * ((long) vector * layout.lanes() + lane), packed);
        }
    }
}
