package dev.demitasse.quantize.matrix;

/**
 * A rectangle inside a row-major array of floats.
 *
 * @param at index of its upper left element
 * @param stride from one row to the next
 */
@SuppressWarnings("ArrayRecordComponent") // a window on shared numbers, compared by identity
public record FloatView(float[] values, int at, int stride, int rows, int columns) {
    /** All of a matrix. */
    public static FloatView of(float[] values, int rows, int columns) {
        return new FloatView(values, 0, columns, rows, columns);
    }

    /** All of {@code matrix}. */
    public static FloatView of(Matrix matrix) {
        return of(matrix.values(), matrix.rows(), matrix.columns());
    }

    /** The rectangle of {@code rows} and {@code columns} whose upper left element is {@code [row, column]}. */
    public FloatView part(int row, int column, int rows, int columns) {
        return new FloatView(values, at + row * stride + column, stride, rows, columns);
    }
}
