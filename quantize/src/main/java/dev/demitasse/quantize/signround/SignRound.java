package dev.demitasse.quantize.signround;

import dev.demitasse.model.format.BlockScheme.Offset;
import dev.demitasse.model.format.Levels;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.grid.RoundToNearest;
import dev.demitasse.quantize.matrix.FloatPanels;
import dev.demitasse.quantize.matrix.FloatProduct;
import dev.demitasse.quantize.matrix.FloatView;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * SignRound: W̃ = s · clip(⌊W / s + V⌉) with V in [−½, ½] for each weight and a factor for each step s, both learned by signed
 * gradient descent, V ← V − η · sign(∂L/∂V), η falling from 1/steps to 0 (Cheng et al., arXiv:2309.05516, §3, equations 3 to 6;
 * rounding is passed straight through when gradients are taken). The best of all steps is kept.
 *
 * <p>Deviations: L is the error of a projection's own output on the whole calibration, tr((W̃ − W) H (W̃ − W)ᵀ), whose gradient
 * 2 (W̃ − W) H needs no automatic differentiation, where the authors take that of a decoder block on batches; rows then do not
 * depend on each other, and each keeps its own best. Steps begin where a search put them, so that their factors go up and down, in
 * [½, 1½], where the authors' begin at the range of the weights and go down. A step that is itself a code moves when its factor
 * reaches the next one. What is added to levels stays.
 *
 * <p>Shapes: W {@code [out, in]}, H {@code [in, in]}.
 */
public final class SignRound {
    private static final int TILE = 96;
    private static final float REACH = 0.5f;

    private final QuantizedMatrix matrix;
    private final Levels levels;
    private final Matrix target;
    private final SecondMoment moment;
    private final FloatPanels hessian;
    private final int columns;
    private final int steps;

    private SignRound(QuantizedMatrix matrix, Matrix target, SecondMoment moment, FloatPanels hessian, int steps) {
        this.matrix = matrix;
        this.levels = matrix.grid().scheme().levels();
        this.target = target;
        this.moment = moment;
        this.hessian = hessian;
        this.columns = matrix.columns();
        this.steps = steps;
    }

    /**
     * Quantizes {@code weight}, which is left as it is, onto {@code grid}.
     *
     * @param moment H, of its input
     * @param hessian {@code moment}, packed
     * @param steps of the descent; 200 in the paper
     */
    public static QuantizedMatrix quantize(
            Matrix weight, Grid grid, SecondMoment moment, FloatPanels hessian, int steps) {
        QuantizedMatrix matrix = RoundToNearest.quantize(weight, grid, moment.diagonal());
        SignRound descent = new SignRound(matrix, weight, moment, hessian, steps);
        IntStream.range(0, Math.ceilDiv(matrix.rows(), TILE)).parallel().forEach(tile -> {
            int first = tile * TILE;
            descent.new Tile(first, Math.min(TILE, matrix.rows() - first)).descend();
        });
        return matrix;
    }

    /** What is learned of a few rows. */
    private final class Tile {
        private final int first;
        private final int rows;
        private final int subs = matrix.subs();
        /** Each weight's V {@code [rows, columns]}, and those of the best step of its row. */
        private final float[] shifts;

        private final float[] bestShifts;
        /** What each step is multiplied by {@code [rows, subs]}. */
        private final float[] factors;

        private final float[] bestFactors;
        /** The steps that the descent begins with {@code [rows, subs]}. */
        private final float[] begin;

        private final double[] least;
        private final float[] error;
        private final float[] gradient;

        Tile(int first, int rows) {
            this.first = first;
            this.rows = rows;
            this.shifts = new float[rows * columns];
            this.bestShifts = new float[rows * columns];
            this.factors = new float[rows * subs];
            Arrays.fill(factors, 1);
            this.bestFactors = factors.clone();
            this.begin = new float[rows * subs];
            for (int i = 0; i < begin.length; i++) {
                begin[i] = matrix.step(first + i / subs, i % subs);
            }
            this.least = new double[rows];
            Arrays.fill(least, Double.POSITIVE_INFINITY);
            this.error = new float[rows * columns];
            this.gradient = new float[rows * columns];
        }

        void descend() {
            for (int step = 0; step <= steps; step++) {
                IntStream.range(0, rows).forEach(this::round);
                Arrays.fill(gradient, 0);
                FloatProduct.add(FloatView.of(gradient, rows, columns), 1, FloatView.of(error, rows, columns), hessian);
                float rate = (float) (steps - step) / steps / steps;
                for (int row = 0; row < rows; row++) {
                    keepIfBest(row);
                    move(row, rate);
                }
            }
            System.arraycopy(bestShifts, 0, shifts, 0, shifts.length);
            System.arraycopy(bestFactors, 0, factors, 0, factors.length);
            IntStream.range(0, rows).forEach(this::round);
        }

        /** Codes of a row by its shifts and factors, and their errors. */
        private void round(int row) {
            for (int sub = 0; sub < subs; sub++) {
                int at = row * subs + sub;
                matrix.moveStep(first + row, sub, (double) begin[at] * factors[at]);
            }
            for (int column = 0; column < columns; column++) {
                int at = row * columns + column;
                double wanted = target.at(first + row, column);
                int sub = matrix.subOf(column);
                double step = matrix.step(first + row, sub);
                double shift = shifts[at] == 0 || step == 0 ? 0 : shifts[at] * gap(row, column) * step;
                double rounded = matrix.round(first + row, column, wanted + shift);
                error[at] = moment.dead(column) ? 0 : (float) (rounded - wanted);
            }
        }

        /** The distance of the two levels that a weight lies between. */
        private double gap(int row, int column) {
            return switch (levels) {
                case Levels.Integers integers -> 1;
                case Levels.Table table -> {
                    double level = level(row, column);
                    int code = table.nearest(level);
                    int other = Math.clamp(level < table.of(code) ? code - 1 : code + 1, 0, table.count() - 1);
                    yield Math.abs((double) table.of(other) - table.of(code));
                }
            };
        }

        /** W / s, less what is added to levels. */
        private double level(int row, int column) {
            int sub = matrix.subOf(column);
            return ((double) target.at(first + row, column) - matrix.base(first + row, sub))
                    / matrix.step(first + row, sub);
        }

        /** The level of 0, where it is one and moves along with the step. */
        private double zero(int row, int sub) {
            boolean moves = matrix.grid().scheme().offset() instanceof Offset.Zero;
            return moves ? matrix.minimumCode(first + row, sub) : 0;
        }

        private void keepIfBest(int row) {
            double loss = 0;
            for (int at = row * columns; at < (row + 1) * columns; at++) {
                loss += (double) error[at] * gradient[at];
            }
            if (loss < least[row]) {
                least[row] = loss;
                System.arraycopy(shifts, row * columns, bestShifts, row * columns, columns);
                System.arraycopy(factors, row * subs, bestFactors, row * subs, subs);
            }
        }

        /** A signed step down: V by G · s, a factor by the sum of G · (code − W / s), or G · code where W is clipped. */
        private void move(int row, float rate) {
            double[] slopes = new double[subs];
            for (int column = 0; column < columns; column++) {
                int sub = matrix.subOf(column);
                float step = matrix.step(first + row, sub);
                if (step == 0) {
                    continue;
                }
                int at = row * columns + column;
                double level = level(row, column);
                boolean clipped = level < levels.smallest() || level > levels.largest();
                double code = matrix.level(first + row, column);
                slopes[sub] += gradient[at] * (clipped ? code - zero(row, sub) : code - level);
                if (!clipped) {
                    float moved = shifts[at] - rate * Math.signum(gradient[at] * step);
                    shifts[at] = Math.clamp(moved, -REACH, REACH);
                }
            }
            for (int sub = 0; sub < subs; sub++) {
                int at = row * subs + sub;
                float moved = factors[at] - rate * (float) Math.signum(slopes[sub] * begin[at]);
                factors[at] = Math.clamp(moved, 1 - REACH, 1 + REACH);
            }
        }
    }
}
