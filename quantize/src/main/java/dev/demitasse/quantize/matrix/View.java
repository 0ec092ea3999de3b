package dev.demitasse.quantize.matrix;

/**
 * A rectangle inside a row-major array of doubles.
 *
 * @param at index of its upper left element
 * @param stride from one row to the next
 */
@SuppressWarnings("ArrayRecordComponent") // a window on shared numbers, compared by identity
public record View(double[] values, int at, int stride, int rows, int columns) {
    /** All of a matrix. */
    public static View of(double[] values, int rows, int columns) {
        return new View(values, 0, columns, rows, columns);
    }

    /** The rectangle of {@code rows} and {@code columns} whose upper left element is {@code [row, column]}. */
    public View part(int row, int column, int rows, int columns) {
        return new View(values, at + row * stride + column, stride, rows, columns);
    }
}
