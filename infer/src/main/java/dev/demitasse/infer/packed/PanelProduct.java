package dev.demitasse.infer.packed;

import dev.demitasse.infer.kernel.Lanes;
import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.parallel.Workers;
import java.util.Arrays;

/**
 * y {@code [tokens, rows]} = x · Wᵀ in float arithmetic. Some rows by some columns of the matrix are decoded into a panel,
 * rows in lanes, that stays in the first cache while all tokens pass by it, {@link MatrixKernel#ROWS} at a time.
 */
final class PanelProduct {
    private static final int DEPTH = 128;
    private static final int ROWS = MatrixKernel.COLUMNS;
    private static final int TOKENS = MatrixKernel.ROWS;

    private final PackedMatrix matrix;
    private final float[] x;
    private final int tokens;
    private final float[] y;
    private final int wholeTokens;
    /** The tokens past the last whole six, filled up with zeros: {@code [TOKENS, columns]}. */
    private final float[] rest;

    PanelProduct(PackedMatrix matrix, float[] x, int tokens, float[] y) {
        this.matrix = matrix;
        this.x = x;
        this.tokens = tokens;
        this.y = y;
        this.wholeTokens = tokens / TOKENS * TOKENS;
        this.rest = new float[wholeTokens < tokens ? TOKENS * matrix.columns() : 0];
        System.arraycopy(x, wholeTokens * matrix.columns(), rest, 0, (tokens - wholeTokens) * matrix.columns());
    }

    void run(Workers workers) {
        int parts = Math.ceilDiv(matrix.rows(), ROWS);
        workers.worth((long) matrix.rows() * matrix.columns() * tokens)
                .run(parts, part -> multiply(part * ROWS, Math.min(ROWS, matrix.rows() - part * ROWS)));
    }

    private void multiply(int firstRow, int rows) {
        int stride = matrix.rows();
        boolean whole = rows == ROWS;
        float[] panel = new float[DEPTH * ROWS];
        float[] target = whole ? y : new float[wholeTokens * ROWS];
        float[] restTarget = new float[rest.length > 0 ? TOKENS * ROWS : 0];
        for (int token = 0; token < wholeTokens && whole; token++) {
            Arrays.fill(y, token * stride + firstRow, token * stride + firstRow + ROWS, 0);
        }
        PanelDecoder decoder = new PanelDecoder(matrix);
        for (int column = 0; column < matrix.columns(); column += DEPTH) {
            int depth = Math.min(DEPTH, matrix.columns() - column);
            for (int group = 0; group < Math.ceilDiv(rows, Lanes.COUNT); group++) {
                decoder.decode(firstRow / Lanes.COUNT + group, column, depth, panel, group * Lanes.COUNT, ROWS);
            }
            for (int token = 0; token < wholeTokens; token += TOKENS) {
                int at = whole ? token * stride + firstRow : token * ROWS;
                add(panel, rows, x, token * matrix.columns() + column, depth, target, at, whole ? stride : ROWS);
            }
            if (rest.length > 0) {
                add(panel, rows, rest, column, depth, restTarget, 0, ROWS);
            }
        }
        for (int token = 0; token < wholeTokens && !whole; token++) {
            System.arraycopy(target, token * ROWS, y, token * stride + firstRow, rows);
        }
        for (int token = wholeTokens; token < tokens; token++) {
            System.arraycopy(restTarget, (token - wholeTokens) * ROWS, y, token * stride + firstRow, rows);
        }
    }

    private void add(
            float[] panel, int rows, float[] inputs, int inputAt, int depth, float[] target, int at, int targetStride) {
        MatrixKernel.add(panel, 0, rows, inputs, inputAt, matrix.columns(), depth, 1, target, at, targetStride);
    }
}
