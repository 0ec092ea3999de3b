package dev.demitasse.quantize.matrix;

import dev.demitasse.infer.kernel.MatrixKernel;
import java.util.Arrays;

/**
 * Products of matrices of floats: {@code target += factor · left · right}, right {@linkplain FloatPanels packed} once for
 * many of them. Within {@value #DEPTH} rows of the right matrix products are summed in order by themselves, whatever the
 * vector width; then those sums are added to the target.
 *
 * <p>On the calling thread: callers have tiles of rows of their own to spread over cores. A tile reads all it takes of the
 * right matrix once: with less than about 100 rows that reading, where it comes from memory, takes longer than the
 * arithmetic (Zen 5, one core, a depth of 128 of a 5,632-wide matrix: 32 rows 112 GFLOP/s, 96 rows 170; from the cache 221).
 */
public final class FloatProduct {
    /** Tiles of a multiple of so many rows leave no lane of the kernel idle. */
    public static final int ROWS = MatrixKernel.ROWS;

    /** 32 kB of a panel, which stay in the first-level cache while all rows of the left matrix pass by. */
    private static final int DEPTH = 128;

    private final FloatView target;
    private final float factor;
    private final FloatView left;
    private final FloatPanels right;
    private final int fromRow;
    private final int fromColumn;
    private final float[] block = new float[MatrixKernel.BLOCK];
    /** The last rows of the left matrix where they are fewer than {@link #ROWS}, zeros after them. */
    private final float[] remainder;

    private FloatProduct(
            FloatView target, float factor, FloatView left, FloatPanels right, int fromRow, int fromColumn) {
        this.target = target;
        this.factor = factor;
        this.left = left;
        this.right = right;
        this.fromRow = fromRow;
        this.fromColumn = fromColumn;
        this.remainder = new float[left.rows() % ROWS == 0 ? 0 : ROWS * Math.min(DEPTH, left.columns())];
    }

    /** target {@code [rows, columns]} += factor · left {@code [rows, depth]} · right {@code [depth, columns]}. */
    public static void add(FloatView target, float factor, FloatView left, FloatPanels right) {
        if (left.columns() != right.rows() || target.columns() != right.columns()) {
            throw new IllegalArgumentException("[%d, %d] from [%d, %d] and [%d, %d]"
                    .formatted(
                            target.rows(),
                            target.columns(),
                            left.rows(),
                            left.columns(),
                            right.rows(),
                            right.columns()));
        }
        add(target, factor, left, right, 0, 0);
    }

    /**
     * target {@code [rows, columns]} += factor · left {@code [rows, depth]} · the rectangle {@code [depth, columns]} of
     * {@code right} whose upper left element is {@code [fromRow, fromColumn]}. The target does not overlap the left
     * matrix.
     */
    public static void add(
            FloatView target, float factor, FloatView left, FloatPanels right, int fromRow, int fromColumn) {
        if (target.rows() != left.rows()
                || fromRow < 0
                || fromRow > right.rows() - left.columns()
                || fromColumn < 0
                || fromColumn > right.columns() - target.columns()) {
            throw new IllegalArgumentException("[%d, %d] from [%d, %d] and [%d, %d] at [%d, %d]"
                    .formatted(
                            target.rows(),
                            target.columns(),
                            left.rows(),
                            left.columns(),
                            right.rows(),
                            right.columns(),
                            fromRow,
                            fromColumn));
        }
        new FloatProduct(target, factor, left, right, fromRow, fromColumn).run();
    }

    private void run() {
        int endColumn = fromColumn + target.columns();
        for (int from = 0; from < left.columns(); from += DEPTH) {
            int depth = Math.min(DEPTH, left.columns() - from);
            takeRemainder(from, depth);
            for (int panel = fromColumn / FloatPanels.WIDTH; panel * FloatPanels.WIDTH < endColumn; panel++) {
                addPanel(panel, from, depth, endColumn);
            }
        }
    }

    private void takeRemainder(int from, int depth) {
        if (remainder.length > 0) {
            Arrays.fill(remainder, 0);
            int first = left.rows() / ROWS * ROWS;
            for (int row = first; row < left.rows(); row++) {
                int at = left.at() + row * left.stride() + from;
                System.arraycopy(left.values(), at, remainder, (row - first) * depth, depth);
            }
        }
    }

    /** Adds the products of the left matrix's columns {@code [from, from + depth)}. */
    private void addPanel(int panel, int from, int depth, int endColumn) {
        int first = Math.max(fromRow + from, right.firstRow(panel));
        int count = Math.min(fromRow + from + depth, right.endRow(panel)) - first;
        if (count <= 0) {
            return;
        }
        int skipped = first - fromRow - from;
        int panelAt = right.indexOf(panel, first);
        int column = panel * FloatPanels.WIDTH;
        int start = Math.max(column, fromColumn);
        int end = Math.min(column + FloatPanels.WIDTH, endColumn);
        boolean whole = end - start == FloatPanels.WIDTH;
        for (int row = 0; row < left.rows(); row += ROWS) {
            int rows = Math.min(ROWS, left.rows() - row);
            boolean full = rows == ROWS;
            float[] values = full ? left.values() : remainder;
            int stride = full ? left.stride() : depth;
            int leftAt = full ? left.at() + row * left.stride() + from + skipped : skipped;
            int targetAt = target.at() + row * target.stride() + start - fromColumn;
            if (full && whole) {
                MatrixKernel.add(
                        right.values(),
                        panelAt,
                        FloatPanels.WIDTH,
                        values,
                        leftAt,
                        stride,
                        count,
                        factor,
                        target.values(),
                        targetAt,
                        target.stride());
            } else {
                Arrays.fill(block, 0);
                MatrixKernel.add(
                        right.values(),
                        panelAt,
                        end - column,
                        values,
                        leftAt,
                        stride,
                        count,
                        1,
                        block,
                        0,
                        FloatPanels.WIDTH);
                addBlock(rows, start - column, end - start, targetAt);
            }
        }
    }

    private void addBlock(int rows, int fromColumn, int columns, int targetAt) {
        for (int row = 0; row < rows; row++) {
            int from = row * FloatPanels.WIDTH + fromColumn;
            int to = targetAt + row * target.stride();
            for (int i = 0; i < columns; i++) {
                target.values()[to + i] = Math.fma(block[from + i], factor, target.values()[to + i]);
            }
        }
    }
}
