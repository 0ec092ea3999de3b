package dev.demitasse.quantize.gptq;

import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.matrix.DoubleProduct;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.Matrix;
import dev.demitasse.quantize.matrix.View;
import java.util.stream.IntStream;

/**
 * Improves a quantized weight one stored number at a time, all others held: with G = (W − Q)(H + λI), the best value of a
 * code lies at Q_j + G_j / H_jj, and a scale with codes c moves by (c · G) / (cᵀHc); each is rounded onto its own grid,
 * and G follows. No step raises tr((W − Q)(H + λI)(W − Q)ᵀ) but for the rounding of scales. Where GPTQ decides each column
 * once, with the later ones still exact, this looks at a column again once all are rounded.
 *
 * <p>Codes of a group are decided with the group's own part of G kept up to date; what they do to the other columns is
 * one product. Shapes: W and Q {@code [out, in]}, H {@code [in, in]}.
 */
public final class CoordinateDescent {
    private static final int TILE = 32;

    private final QuantizedMatrix matrix;
    private final Matrix target;
    private final SecondMoment moment;
    private final double damped;
    private final int groupSize;

    private CoordinateDescent(QuantizedMatrix matrix, Matrix target, SecondMoment moment, double damping) {
        this.matrix = matrix;
        this.target = target;
        this.moment = moment;
        this.damped = damping * moment.meanDiagonal();
        this.groupSize = matrix.grid().groupSize(matrix.columns());
    }

    /**
     * Improves {@code matrix}, whose groups are neighbours, in place.
     *
     * @param target what it should stand for
     * @param damping as share of the mean diagonal, as in GPTQ
     * @param rounds of: scales, scales, codes, codes, scales
     */
    public static void refine(QuantizedMatrix matrix, Matrix target, SecondMoment moment, double damping, int rounds) {
        CoordinateDescent descent = new CoordinateDescent(matrix, target, moment, damping);
        IntStream.range(0, Math.ceilDiv(matrix.rows(), TILE)).parallel().forEach(tile -> {
            int first = tile * TILE;
            Tile rows = descent.new Tile(first, Math.min(TILE, matrix.rows() - first));
            for (int round = 0; round < rounds; round++) {
                rows.moveScales();
                rows.moveScales();
                rows.moveCodes();
                rows.moveCodes();
                rows.moveScales();
            }
        });
    }

    private double damped(int row, int column) {
        return moment.at(row, column) + (row == column ? damped : 0);
    }

    /** A few rows. */
    private final class Tile {
        private final int first;
        private final int rows;
        private final int columns = matrix.columns();
        /** (W − Q)(H + λI) {@code [rows, columns]}. */
        private final double[] gradient;
        /** How much a group's weights grew {@code [rows, groupSize]}. */
        private final double[] change;

        Tile(int first, int rows) {
            this.first = first;
            this.rows = rows;
            this.gradient = new double[rows * columns];
            this.change = new double[rows * groupSize];
            double[] error = new double[rows * columns];
            for (int row = 0; row < rows; row++) {
                for (int column = 0; column < columns; column++) {
                    double wanted = moment.dead(column) ? 0 : target.at(first + row, column);
                    error[row * columns + column] = wanted - matrix.value(first + row, column);
                    gradient[row * columns + column] = damped * error[row * columns + column];
                }
            }
            DoubleProduct.add(View.of(gradient, rows, columns), 1, View.of(error, rows, columns), moment.view());
        }

        void moveScales() {
            for (int at = 0; at < columns; at += groupSize) {
                int size = Math.min(groupSize, columns - at);
                boolean changed = false;
                for (int row = 0; row < rows; row++) {
                    changed |= moveScale(row, at, size);
                }
                if (changed) {
                    follow(at, size);
                }
            }
        }

        private boolean moveScale(int row, int at, int size) {
            int group = at / groupSize;
            int zero = matrix.zero(first + row, group);
            double slope = 0;
            double curvature = 0;
            for (int i = 0; i < size; i++) {
                double code = matrix.code(first + row, at + i) - zero;
                slope += code * gradient[row * columns + at + i];
                double bend = 0;
                for (int k = 0; k < size; k++) {
                    bend += damped(at + i, at + k) * (matrix.code(first + row, at + k) - zero);
                }
                curvature += code * bend;
            }
            float before = matrix.scale(first + row, group);
            float after = curvature > 0 ? matrix.grid().stored((float) (before + slope / curvature)) : before;
            if (!Float.isFinite(after) || after == 0) {
                after = before;
            }
            matrix.setStep(first + row, group, new Grid.Step(after, zero));
            for (int i = 0; i < size; i++) {
                change[row * groupSize + i] = ((double) after - before) * (matrix.code(first + row, at + i) - zero);
            }
            return after != before;
        }

        void moveCodes() {
            for (int at = 0; at < columns; at += groupSize) {
                int size = Math.min(groupSize, columns - at);
                boolean changed = false;
                for (int row = 0; row < rows; row++) {
                    changed |= moveCodes(row, at, size);
                }
                if (changed) {
                    follow(at, size);
                }
            }
        }

        private boolean moveCodes(int row, int at, int size) {
            double[] local = new double[size];
            System.arraycopy(gradient, row * columns + at, local, 0, size);
            boolean changed = false;
            for (int i = 0; i < size; i++) {
                double before = matrix.value(first + row, at + i);
                double best = before + local[i] / damped(at + i, at + i);
                double moved = matrix.round(first + row, at + i, best) - before;
                change[row * groupSize + i] = moved;
                if (moved != 0) {
                    changed = true;
                    for (int k = 0; k < size; k++) {
                        local[k] -= moved * damped(at + i, at + k);
                    }
                }
            }
            return changed;
        }

        /** G −= change · (H + λI)[group, :]. */
        private void follow(int at, int size) {
            View changes = new View(change, 0, groupSize, rows, size);
            View all = View.of(gradient, rows, columns);
            DoubleProduct.add(all, -1, changes, moment.view().part(at, 0, size, columns));
            for (int row = 0; row < rows; row++) {
                for (int i = 0; i < size; i++) {
                    gradient[row * columns + at + i] -= damped * change[row * groupSize + i];
                }
            }
        }
    }
}
