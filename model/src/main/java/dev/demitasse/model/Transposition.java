package dev.demitasse.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Turns a matrix's rows into columns, whatever its elements are.
 *
 * @param source {@code [rows, columns]}, or as many columns of a wider matrix
 * @param stride elements from one of its rows to the next
 * @param target {@code [columns, rows]}
 */
public record Transposition(
        MemorySegment source, int rows, int columns, int stride, int elementBytes, MemorySegment target) {
    /** A tile's rows and columns stay in the first-level cache. */
    private static final int TILE = 32;

    public void run() {
        for (int row = 0; row < rows; row += TILE) {
            for (int column = 0; column < columns; column += TILE) {
                tile(row, Math.min(rows, row + TILE), column, Math.min(columns, column + TILE));
            }
        }
    }

    private void tile(int fromRow, int toRow, int fromColumn, int toColumn) {
        for (int column = fromColumn; column < toColumn; column++) {
            for (int row = fromRow; row < toRow; row++) {
                long from = (long) row * stride + column;
                long to = (long) column * rows + row;
                switch (elementBytes) {
                    case 1 -> target.set(ValueLayout.JAVA_BYTE, to, source.get(ValueLayout.JAVA_BYTE, from));
                    case 2 -> {
                        short element = source.get(ValueLayout.JAVA_SHORT_UNALIGNED, from * 2);
                        target.set(ValueLayout.JAVA_SHORT_UNALIGNED, to * 2, element);
                    }
                    case 4 -> {
                        int element = source.get(ValueLayout.JAVA_INT_UNALIGNED, from * 4);
                        target.set(ValueLayout.JAVA_INT_UNALIGNED, to * 4, element);
                    }
                    case 8 -> {
                        long element = source.get(ValueLayout.JAVA_LONG_UNALIGNED, from * 8);
                        target.set(ValueLayout.JAVA_LONG_UNALIGNED, to * 8, element);
                    }
                    default -> throw new IllegalArgumentException("elements of " + elementBytes + " bytes");
                }
            }
        }
    }
}
