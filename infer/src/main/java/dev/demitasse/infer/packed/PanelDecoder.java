package dev.demitasse.infer.packed;

import dev.demitasse.infer.kernel.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.List;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Decodes groups of a packed matrix to floats, a vector of rows for each column. Used by one thread. */
final class PanelDecoder {
    private static final int STRETCH = PackedLayout.STRETCH;

    private final MemorySegment data;
    private final PackedMatrix matrix;
    private final PackedLayout layout;
    private final List<Plane> planes;
    private final float[] levels;
    private final int[] codes = new int[STRETCH * Lanes.COUNT];

    PanelDecoder(PackedMatrix matrix) {
        this.matrix = matrix;
        this.data = matrix.data();
        this.layout = matrix.layout();
        this.planes = layout.planes();
        this.levels = new float[1 << layout.bits()];
        for (int code = 0; code < levels.length; code++) {
            int level = layout.table().isEmpty()
                    ? code
                    : layout.table().get(code % layout.table().size());
            levels[code] = level - layout.bias();
        }
    }

    /**
     * Writes column {@code column + i} of the group's rows to {@code panel[at + i · stride]} and after, for i under
     * {@code depth}; column and depth are multiples of 32.
     */
    void decode(int group, int column, int depth, float[] panel, int at, int stride) {
        for (int stretch = column / STRETCH; stretch < (column + depth) / STRETCH; stretch++) {
            long head = matrix.offset(group) + (long) (stretch / layout.stretches()) * layout.blockBytes();
            long start = head + layout.headBytes() + (long) (stretch % layout.stretches()) * layout.stretchBytes();
            unpack(start + layout.planesAt());
            FloatVector scale = SumScaling.halves(data, head);
            FloatVector minimum = layout.minimum() ? SumScaling.halves(data, head + 2L * Lanes.COUNT) : scale;
            for (int part = 0; part < layout.parts(); part++) {
                long codeAt = start + (long) part * Lanes.COUNT;
                FloatVector step =
                        layout.scaleCodes() ? SumScaling.bytes(data, codeAt).mul(scale) : scale;
                FloatVector base = FloatVector.zero(Lanes.FLOAT);
                if (layout.minimum()) {
                    base = layout.minimumCodes()
                            ? SumScaling.bytes(data, codeAt + layout.minimumCodesAt())
                                    .mul(minimum)
                                    .neg()
                            : minimum.neg();
                }
                int columns = STRETCH / layout.parts();
                int to = at + (stretch * STRETCH - column + part * columns) * stride;
                scale(part * columns, columns, step, base, panel, to, stride);
            }
        }
    }

    private void scale(int from, int columns, FloatVector step, FloatVector base, float[] panel, int at, int stride) {
        boolean integers = layout.table().isEmpty();
        for (int column = 0; column < columns; column++) {
            int codesAt = (from + column) * Lanes.COUNT;
            FloatVector level = integers
                    ? (FloatVector) IntVector.fromArray(Lanes.INT, codes, codesAt)
                            .sub(layout.bias())
                            .convert(VectorOperators.I2F, 0)
                    : FloatVector.fromArray(Lanes.FLOAT, levels, 0, codes, codesAt);
            level.mul(step).add(base).intoArray(panel, at + column * stride);
        }
    }

    /** A stretch's codes, {@code [column, lane]}. */
    private void unpack(long at) {
        for (Plane plane : planes) {
            long start = at + (long) plane.offset() * Lanes.COUNT;
            int mask = (1 << plane.bits()) - 1;
            for (int vector = 0; vector < plane.vectors(); vector++) {
                IntVector words = ByteVector.fromMemorySegment(
                                Lanes.FLOAT_BYTES, data, start + 4L * vector * Lanes.COUNT, ByteOrder.LITTLE_ENDIAN)
                        .reinterpretAsInts();
                for (int field = 0; field < plane.fields(); field++) {
                    int column = 4 * (vector * plane.fields() + field);
                    for (int i = 0; i < 4; i++) {
                        IntVector bits = words.lanewise(VectorOperators.LSHR, 8 * i + field * plane.bits())
                                .and(mask);
                        int to = (column + i) * Lanes.COUNT;
                        IntVector code = plane.place() == 0
                                ? bits
                                : bits.lanewise(VectorOperators.LSHL, plane.place())
                                        .or(IntVector.fromArray(Lanes.INT, codes, to));
                        code.intoArray(codes, to);
                    }
                }
            }
        }
    }
}
