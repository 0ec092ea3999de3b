package dev.demitasse.infer.packed;

import dev.demitasse.infer.kernel.Lanes;
import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.parallel.Workers;

/**
 * y {@code [tokens, rows]} = x · Wᵀ in float arithmetic. Some rows by some columns of the matrix are decoded into a panel,
 * rows in lanes, that stays in the first cache while all tokens pass by it.
 */
final class PanelProduct {
    private static final int DEPTH = FloatTiles.DEPTH;
    private static final int ROWS = MatrixKernel.COLUMNS;

    private final PackedMatrix matrix;
    private final FloatTiles x;
    private final float[] y;

    PanelProduct(PackedMatrix matrix, FloatTiles x, float[] y) {
        this.matrix = matrix;
        this.x = x;
        this.y = y;
    }

    void run(Workers workers) {
        int parts = Math.ceilDiv(matrix.rows(), ROWS);
        workers.worth((long) matrix.rows() * matrix.columns() * x.tokens())
                .run(parts, part -> multiply(part * ROWS, Math.min(ROWS, matrix.rows() - part * ROWS)));
    }

    private void multiply(int firstRow, int rows) {
        float[] panel = new float[DEPTH * ROWS];
        float[] sums = new float[x.blocks() * MatrixKernel.BLOCK];
        PanelDecoder decoder = new PanelDecoder(matrix);
        for (int column = 0; column < matrix.columns(); column += DEPTH) {
            int depth = Math.min(DEPTH, matrix.columns() - column);
            for (int group = 0; group < Math.ceilDiv(rows, Lanes.COUNT); group++) {
                decoder.decode(firstRow / Lanes.COUNT + group, column, depth, panel, group * Lanes.COUNT, ROWS);
            }
            for (int block = 0; block < x.blocks(); block++) {
                int from = x.at(column, block);
                int to = block * MatrixKernel.BLOCK;
                MatrixKernel.add(panel, 0, rows, x.tiles(), from, depth, depth, 1, sums, to, ROWS);
            }
        }
        for (int token = 0; token < x.tokens(); token++) {
            System.arraycopy(sums, token * ROWS, y, token * matrix.rows() + firstRow, rows);
        }
    }
}
