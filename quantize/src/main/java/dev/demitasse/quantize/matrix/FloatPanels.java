package dev.demitasse.quantize.matrix;

import dev.demitasse.infer.kernel.MatrixKernel;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The right matrix of many products, {@code [rows, columns]}, repacked once: panel p holds columns
 * {@code [p · WIDTH, (p + 1) · WIDTH)} of every row one after the other, zeros past the last column, so that a product
 * reads memory in order, whichever rows and columns it takes. Rows of zeros at a panel's top and bottom are not held: a
 * triangular matrix takes half the memory and half the work.
 */
public final class FloatPanels {
    static final int WIDTH = MatrixKernel.COLUMNS;

    private final int rows;
    private final int columns;
    private final float[] values;
    /** For each panel, where its first held row lies in {@link #values}, and which rows it holds. */
    private final int[] starts;

    private final int[] firstRow;
    private final int[] endRow;

    private FloatPanels(int rows, int columns, Source source) {
        this.rows = rows;
        this.columns = columns;
        int panels = Math.ceilDiv(columns, WIDTH);
        this.starts = new int[panels];
        this.firstRow = new int[panels];
        this.endRow = new int[panels];
        IntStream.range(0, panels).parallel().forEach(panel -> findRows(panel, source));
        int size = 0;
        for (int panel = 0; panel < panels; panel++) {
            starts[panel] = size;
            size = Math.addExact(size, Math.multiplyExact(endRow[panel] - firstRow[panel], WIDTH));
        }
        this.values = new float[size];
        IntStream.range(0, panels).parallel().forEach(panel -> pack(panel, source));
    }

    /** Where numbers come from: copies some of a row. */
    @FunctionalInterface
    interface Source {
        void read(int row, int column, int count, float[] target, int at);
    }

    /** Packs a matrix that {@code source} gives, parts of rows of one panel at a time, from several threads at once. */
    static FloatPanels pack(int rows, int columns, Source source) {
        return new FloatPanels(rows, columns, source);
    }

    /** Packs all of {@code matrix}. */
    public static FloatPanels pack(FloatView matrix) {
        return new FloatPanels(
                matrix.rows(),
                matrix.columns(),
                (row, column, count, target, to) -> System.arraycopy(
                        matrix.values(), matrix.at() + row * matrix.stride() + column, target, to, count));
    }

    /** Packs all of {@code matrix}, each number rounded to the nearest float. */
    public static FloatPanels pack(View matrix) {
        return new FloatPanels(matrix.rows(), matrix.columns(), (row, column, count, target, to) -> {
            int from = matrix.at() + row * matrix.stride() + column;
            for (int i = 0; i < count; i++) {
                target[to + i] = (float) matrix.values()[from + i];
            }
        });
    }

    /** The transposed matrix. */
    public FloatPanels transposed() {
        return pack(columns, rows, (row, column, count, target, to) -> {
            for (int i = 0; i < count; i++) {
                target[to + i] = at(column + i, row);
            }
        });
    }

    private void findRows(int panel, Source source) {
        float[] row = new float[WIDTH];
        int end = rows;
        while (end > 0 && isZero(panel, end - 1, source, row)) {
            end--;
        }
        int first = 0;
        while (first < end && isZero(panel, first, source, row)) {
            first++;
        }
        firstRow[panel] = first;
        endRow[panel] = end;
    }

    private boolean isZero(int panel, int row, Source source, float[] values) {
        int column = panel * WIDTH;
        int count = Math.min(WIDTH, columns - column);
        source.read(row, column, count, values, 0);
        for (int i = 0; i < count; i++) {
            if (values[i] != 0) {
                return false;
            }
        }
        return true;
    }

    private void pack(int panel, Source source) {
        int column = panel * WIDTH;
        int count = Math.min(WIDTH, columns - column);
        for (int row = firstRow[panel]; row < endRow[panel]; row++) {
            source.read(row, column, count, values, indexOf(panel, row));
        }
    }

    public int rows() {
        return rows;
    }

    public int columns() {
        return columns;
    }

    public float at(int row, int column) {
        int panel = column / WIDTH;
        boolean held = row >= firstRow[panel] && row < endRow[panel];
        return held ? values[indexOf(panel, row) + column % WIDTH] : 0;
    }

    /** Copies {@code count} numbers of row {@code row} from {@code column} into {@code target} from {@code to}. */
    public void copyRow(int row, int column, int count, float[] target, int to) {
        int done = 0;
        while (done < count) {
            int panel = (column + done) / WIDTH;
            int inside = (column + done) % WIDTH;
            int some = Math.min(WIDTH - inside, count - done);
            if (row >= firstRow[panel] && row < endRow[panel]) {
                System.arraycopy(values, indexOf(panel, row) + inside, target, to + done, some);
            } else {
                Arrays.fill(target, to + done, to + done + some, 0);
            }
            done += some;
        }
    }

    /** All panels. */
    float[] values() {
        return values;
    }

    /** Where {@code row}, one of those held, of {@code panel} lies. */
    int indexOf(int panel, int row) {
        return starts[panel] + (row - firstRow[panel]) * WIDTH;
    }

    /** The first row that {@code panel} holds; those before are zero. */
    int firstRow(int panel) {
        return firstRow[panel];
    }

    /** The row after the last that {@code panel} holds; it and those after are zero. */
    int endRow(int panel) {
        return endRow[panel];
    }
}
