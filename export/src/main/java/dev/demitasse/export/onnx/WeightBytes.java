package dev.demitasse.export.onnx;

import dev.demitasse.export.weights.SourceTensor;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Writes a matrix's elements as an initializer wants them, holding a few megabytes of it at a time. */
final class WeightBytes {
    private static final int PANEL_BYTES = 32 << 20;
    private static final int ROWS_AT_A_TIME = 16;
    private static final ValueLayout.OfFloat LITTLE_FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private WeightBytes() {}

    /** F32 {@code [out, in]}. */
    static void floats(SourceTensor matrix, OutputStream target) throws IOException {
        float[] row = new float[matrix.columns()];
        byte[] bytes = new byte[4 * row.length];
        for (int i = 0; i < matrix.rows(); i++) {
            matrix.readRow(i, row);
            MemorySegment.copy(row, 0, MemorySegment.ofArray(bytes), LITTLE_FLOAT, 0, row.length);
            target.write(bytes);
        }
    }

    /** I8 codes {@code [out, in]}. */
    static void codes(SourceTensor matrix, OutputStream target) throws IOException {
        for (int i = 0; i < matrix.rows(); i++) {
            target.write(matrix.rowBytes(i).toArray(ValueLayout.JAVA_BYTE));
        }
    }

    /** F32 {@code [in, out]}. */
    static void transposedFloats(SourceTensor matrix, OutputStream target) throws IOException {
        int rows = matrix.rows();
        int columns = matrix.columns();
        int width = panelWidth(rows, columns, Float.BYTES);
        float[][] some = new float[ROWS_AT_A_TIME][columns];
        for (int from = 0; from < columns; from += width) {
            int to = Math.min(columns, from + width);
            byte[] panel = new byte[(to - from) * rows * Float.BYTES];
            MemorySegment segment = MemorySegment.ofArray(panel);
            for (int row = 0; row < rows; row += ROWS_AT_A_TIME) {
                int count = Math.min(ROWS_AT_A_TIME, rows - row);
                for (int i = 0; i < count; i++) {
                    matrix.readRow(row + i, some[i]);
                }
                for (int column = from; column < to; column++) {
                    long at = ((long) (column - from) * rows + row) * Float.BYTES;
                    for (int i = 0; i < count; i++) {
                        segment.set(LITTLE_FLOAT, at + (long) i * Float.BYTES, some[i][column]);
                    }
                }
            }
            target.write(panel);
        }
    }

    /** I8 codes {@code [in, out]}. */
    static void transposedCodes(SourceTensor matrix, OutputStream target) throws IOException {
        int rows = matrix.rows();
        int columns = matrix.columns();
        int width = panelWidth(rows, columns, 1);
        byte[][] some = new byte[ROWS_AT_A_TIME][columns];
        for (int from = 0; from < columns; from += width) {
            int to = Math.min(columns, from + width);
            byte[] panel = new byte[(to - from) * rows];
            for (int row = 0; row < rows; row += ROWS_AT_A_TIME) {
                int count = Math.min(ROWS_AT_A_TIME, rows - row);
                for (int i = 0; i < count; i++) {
                    MemorySegment.copy(matrix.rowBytes(row + i), ValueLayout.JAVA_BYTE, from, some[i], from, to - from);
                }
                for (int column = from; column < to; column++) {
                    int at = (column - from) * rows + row;
                    for (int i = 0; i < count; i++) {
                        panel[at + i] = some[i][column];
                    }
                }
            }
            target.write(panel);
        }
    }

    private static int panelWidth(int rows, int columns, int bytes) {
        return Math.clamp(PANEL_BYTES / ((long) rows * bytes), 1, columns);
    }
}
