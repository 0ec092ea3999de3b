package dev.demitasse.quantize.matrix;

import dev.demitasse.infer.kernel.MatrixKernel;
import java.util.stream.IntStream;

/**
 * Activations {@code [tokens, width]}, gathered until there are {@value #TOKENS} tokens, in the forms a product over tokens
 * reads: as its left side column after column, as its right side panels of {@link #WIDTH} columns, token after token.
 */
final class TokenBatch {
    static final int WIDTH = MatrixKernel.COLUMNS;

    /**
     * Within a batch sums are kept in float, from batch to batch in double, so that the relative error of a sum stays near
     * √512 · 2⁻²⁴ however many tokens there are, and doubles are a small part of what is read and written.
     */
    static final int TOKENS = 512;

    /** Columns that one thread takes at a time. */
    private static final int SHARE = 4 * WIDTH;

    /** Columns whose cache lines stay in the first-level cache while they are turned. */
    private static final int TURNED = 16;

    private final int width;
    /** {@code [width, TOKENS]}, rows of zeros up to whole calls of the kernel; empty if there is no left side. */
    private final float[] columns;
    /** {@code [panel, TOKENS, WIDTH]}, zeros past the width; empty if there is no right side. */
    private final float[] panels;

    private int tokens;

    TokenBatch(int width, boolean left, boolean right) {
        this.width = width;
        int rows = Math.ceilDiv(width, MatrixKernel.ROWS) * MatrixKernel.ROWS;
        this.columns = new float[left ? Math.multiplyExact(rows, TOKENS) : 0];
        this.panels = new float[right ? Math.multiplyExact(Math.ceilDiv(width, WIDTH) * WIDTH, TOKENS) : 0];
    }

    int width() {
        return width;
    }

    /** Those held. */
    int tokens() {
        return tokens;
    }

    boolean full() {
        return tokens == TOKENS;
    }

    void clear() {
        tokens = 0;
    }

    float[] columns() {
        return columns;
    }

    float[] panels() {
        return panels;
    }

    /**
     * Takes rows of {@code input} from row {@code first}, as many of {@code count} as there is room for.
     *
     * @return how many it took
     */
    int take(float[] input, int first, int count) {
        int taken = Math.min(count, TOKENS - tokens);
        IntStream.range(0, Math.ceilDiv(width, SHARE)).parallel().forEach(share -> {
            int from = share * SHARE;
            int end = Math.min(width, from + SHARE);
            if (panels.length > 0) {
                takePanels(input, first, taken, from, end);
            }
            if (columns.length > 0) {
                takeColumns(input, first, taken, from, end);
            }
        });
        tokens += taken;
        return taken;
    }

    private void takePanels(float[] input, int first, int taken, int from, int end) {
        for (int column = from; column < end; column += WIDTH) {
            int count = Math.min(WIDTH, end - column);
            for (int token = 0; token < taken; token++) {
                int to = (column / WIDTH * TOKENS + tokens + token) * WIDTH;
                System.arraycopy(input, (first + token) * width + column, panels, to, count);
            }
        }
    }

    private void takeColumns(float[] input, int first, int taken, int from, int end) {
        for (int some = from; some < end; some += TURNED) {
            for (int column = some; column < Math.min(end, some + TURNED); column++) {
                int to = column * TOKENS + tokens;
                for (int token = 0; token < taken; token++) {
                    columns[to + token] = input[(first + token) * width + column];
                }
            }
        }
    }
}
