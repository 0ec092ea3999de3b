package dev.demitasse.infer.packed;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** What a {@link PackedKernel} computes, row by row and column by column: for comparison. */
final class ScalarKernel implements PackedKernel {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    @Override
    public void multiply(
            PackedMatrix matrix,
            int firstGroup,
            int groups,
            BlockedInput input,
            int tile,
            float[] y,
            int at,
            int stride) {
        int lanes = matrix.layout().lanes();
        for (int row = 0; row < groups * lanes; row++) {
            long from = matrix.offset(firstGroup + row / lanes);
            for (int token = 0; token < input.tokens(tile); token++) {
                y[at + token * stride + row] = dot(matrix, from, row % lanes, input, tile, token);
            }
        }
    }

    private static float dot(PackedMatrix matrix, long group, int lane, BlockedInput input, int tile, int token) {
        PackedLayout layout = matrix.layout();
        MemorySegment data = matrix.data();
        int count = input.tokens(tile);
        int parts = layout.parts();
        float sum = 0;
        for (int block = 0; block < matrix.blocks(); block++) {
            long head = group + (long) block * layout.blockBytes();
            float scale = half(data, head + 2L * lane);
            float minimum = layout.minimum() ? half(data, head + 2L * (layout.lanes() + lane)) : 0;
            for (int inBlock = 0; inBlock < layout.stretches(); inBlock++) {
                int stretch = block * layout.stretches() + inBlock;
                long start = head + layout.headBytes() + (long) inBlock * layout.stretchBytes();
                int place = input.first(tile) + stretch * count + token;
                for (int part = 0; part < parts; part++) {
                    int partAt = (input.first(tile) + stretch * count) * parts + part * count + token;
                    int products = input.starts(layout.bias(), parts)[partAt];
                    int columns = PackedLayout.STRETCH / parts;
                    for (int column = part * columns; column < (part + 1) * columns; column++) {
                        products += level(layout, data, start + layout.planesAt(), lane, column)
                                * input.codes()[place * PackedLayout.STRETCH + column];
                    }
                    long codeAt = start + (long) part * layout.lanes() + lane;
                    float step = layout.scaleCodes() ? scale * data.get(ValueLayout.JAVA_BYTE, codeAt) : scale;
                    sum = Math.fma(products, step * input.scales()[place], sum);
                    if (layout.minimum()) {
                        float off = layout.minimumCodes()
                                ? minimum * data.get(ValueLayout.JAVA_BYTE, codeAt + layout.minimumCodesAt())
                                : minimum;
                        sum = Math.fma(off, input.offsets(parts)[partAt], sum);
                    }
                }
            }
        }
        return sum;
    }

    /** What stands for the code of a column, of a stretch from 0 to 31, before the bias is taken off. */
    private static int level(PackedLayout layout, MemorySegment data, long planes, int lane, int column) {
        int code = 0;
        for (Plane plane : layout.planes()) {
            int vector = column / (4 * plane.fields());
            int field = column / 4 % plane.fields();
            long at = planes + (long) layout.lanes() * (plane.offset() + 4L * vector) + 4L * lane + column % 4;
            int value = data.get(ValueLayout.JAVA_BYTE, at) >>> plane.bits() * field & (1 << plane.bits()) - 1;
            code |= value << plane.place();
        }
        return layout.table().isEmpty() ? code : layout.table().get(code);
    }

    private static float half(MemorySegment data, long at) {
        return Float.float16ToFloat(data.get(SHORT, at));
    }
}
