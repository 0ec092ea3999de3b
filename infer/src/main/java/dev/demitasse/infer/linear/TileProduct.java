package dev.demitasse.infer.linear;

import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Tensor;
import java.util.Arrays;
import java.util.function.IntFunction;

/**
 * The blocking of a product of many tokens with a matrix (after Goto and van de Geijn, "Anatomy of High-Performance
 * Matrix Multiplication", 2008): a tile of {@value #TILE} rows by {@value #DEPTH} columns is decoded to floats that stay
 * in the first caches and meets every panel of tokens. A tile's result depends on nothing but its rows and its token, so
 * neither the number of threads nor that of tokens changes a bit of it.
 *
 * <p>The depth also bounds sums of products of a centred 8-bit input and an 8-bit weight: 512 · 255 · 128 &lt; 2²⁴, so
 * that {@link Int8Linear}'s sums over one tile are exact in floats.
 */
final class TileProduct {
    static final int TILE = 8 * MatrixKernel.ROWS;
    static final int DEPTH = 512;
    static final int PANEL = MatrixKernel.COLUMNS;

    /** Up to here one row after the other is cheaper than tiles, whose panels would be mostly empty. */
    static final int FEW_TOKENS = Linear.FEW_TOKENS;

    private static final int TOKENS = 512;

    /** Takes up the sums of a tile, block of {@link MatrixKernel#BLOCK} by block, over stretches of columns. */
    interface Sums {
        /**
         * Adds weights {@code [group, ROWS, depth]} · panel {@code [depth, PANEL]} to the blocks that stand at {@code at}, or
         * puts them there if they are the {@code first}.
         *
         * @param tokens of the panel that matter
         */
        void add(
                float[] panels, int panelAt, int tokens, float[] weights, int groups, int depth, int at, boolean first);

        /**
         * Writes finished blocks to y.
         *
         * @param at the first of them; the next begins where it ends
         * @param row to which of y's columns the first row goes, and {@code rows} of them
         * @param token to which of y's rows the first token goes, and {@code tokens} of them
         */
        void store(int at, int row, int rows, int token, int tokens);
    }

    private TileProduct() {}

    static void check(Linear linear, LinearInput x, float[] y) {
        if (x.width() != linear.inputs() || y.length < (long) x.tokens() * linear.outputs()) {
            throw new IllegalArgumentException("a [%d, %d] projection of [%d, %d] into %,d floats"
                    .formatted(linear.outputs(), linear.inputs(), x.tokens(), x.width(), y.length));
        }
    }

    /** Multiplies all tiles with all panels; {@code sums} makes each tile a gatherer of so many numbers. */
    static void run(
            Tensor weight, TileKernel kernel, float[] panels, int tokens, Workers workers, IntFunction<Sums> sums) {
        long operations = weight.elements() * tokens;
        workers.worth(operations).run(Math.ceilDiv(weight.rows(), TILE), tile -> {
            float[] decoded = new float[TILE * Math.min(DEPTH, weight.columns())];
            Sums gathered = sums.apply(TILE * Math.min(TOKENS, Math.ceilDiv(tokens, PANEL) * PANEL));
            for (int token = 0; token < tokens; token += TOKENS) {
                multiply(
                        weight,
                        kernel,
                        tile * TILE,
                        panels,
                        token,
                        Math.min(TOKENS, tokens - token),
                        decoded,
                        gathered);
            }
        });
    }

    private static void multiply(
            Tensor weight,
            TileKernel kernel,
            int row,
            float[] panels,
            int token,
            int tokens,
            float[] decoded,
            Sums sums) {
        int columns = weight.columns();
        int rows = Math.min(TILE, weight.rows() - row);
        int groups = Math.ceilDiv(rows, MatrixKernel.ROWS);
        int panelCount = Math.ceilDiv(tokens, PANEL);
        for (int column = 0; column < columns; column += DEPTH) {
            int depth = Math.min(DEPTH, columns - column);
            for (int r = 0; r < rows; r++) {
                kernel.decode(weight, row + r, column, depth, decoded, r * depth);
            }
            Arrays.fill(decoded, rows * depth, groups * MatrixKernel.ROWS * depth, 0);
            for (int panel = 0; panel < panelCount; panel++) {
                int count = Math.min(PANEL, tokens - panel * PANEL);
                int panelAt = ((token / PANEL + panel) * columns + column) * PANEL;
                int at = panel * groups * MatrixKernel.BLOCK;
                sums.add(panels, panelAt, count, decoded, groups, depth, at, column == 0);
            }
        }
        for (int panel = 0; panel < panelCount; panel++) {
            int count = Math.min(PANEL, tokens - panel * PANEL);
            sums.store(panel * groups * MatrixKernel.BLOCK, row, rows, token + panel * PANEL, count);
        }
    }
}
