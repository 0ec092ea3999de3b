package dev.demitasse.quantize.matrix;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.files.OnDemand;
import java.util.Arrays;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.factory.LinearSolverFactory_DDRM;
import org.ejml.interfaces.linsol.LinearSolverDense;

/**
 * The second moment of a linear module's inputs, H = 2/N · XᵀX {@code [in, in]}: how much an error in each pair of its
 * weights costs at its output (Frantar et al., arXiv:2210.17323, §3.3). X {@code [tokens, in]} is never held: batches of
 * tokens are added as they come. Sums are floats inside a batch of 512 tokens and doubles beyond. Memory: half a matrix of
 * doubles, {@code in² · 4} bytes, and the batch.
 *
 * <p>A column whose input was always zero is <em>dead</em>: its diagonal becomes 1, so that H stays invertible, and its
 * weights do not matter.
 */
public final class Hessian {
    /** Share of the mean diagonal. */
    private static final double SMALLEST_DAMPING = 1e-4;

    private final int width;
    private final TokenSums sums;
    private final TokenBatch batch;
    private long tokens;

    /** @param width inputs of the module; up to 65,000 */
    public Hessian(int width) {
        this.width = width;
        this.sums = new TokenSums(width, width, true);
        this.batch = new TokenBatch(width, true, true);
    }

    /** Adds {@code tokens} rows of {@code input}, row-major {@code [tokens, width]}. */
    public void add(float[] input, int tokens) {
        int done = 0;
        while (done < tokens) {
            done += batch.take(input, done, tokens - done);
            if (batch.full()) {
                flush();
            }
        }
        this.tokens += tokens;
    }

    private void flush() {
        sums.add(batch, batch);
        batch.clear();
    }

    public int width() {
        return width;
    }

    /** How many tokens were added. */
    public long tokens() {
        return tokens;
    }

    /**
     * The symmetric matrix {@code [width, width]}, dead columns with 1 on the diagonal, undamped. It is these sums, not a
     * copy of them: nothing is to be added while it is in use.
     */
    public SecondMoment moment() {
        if (tokens == 0) {
            throw new IllegalStateException("no activations were added");
        }
        flush();
        double factor = 2.0 / tokens;
        return new SecondMoment(width, 1, (row, column) -> sums.at(row, column) * factor);
    }

    /** A moment some of whose columns are set freely at the end. */
    public static final class Without {
        private final SecondMoment whole;
        private final boolean[] free;
        private final int[] kept;
        /** (H_kk + λI)⁻¹ H_kn, zero in the columns that are kept. */
        private final DMatrixRMaj solution;

        private Without(SecondMoment whole, int[] kept, DMatrixRMaj solution) {
            this.whole = whole;
            this.kept = kept;
            this.solution = solution;
            this.free = new boolean[whole.width];
            for (int column : kept) {
                free[column] = true;
            }
        }

        /** What the errors of the others then cost. */
        public SecondMoment moment() {
            // Little, so that what stands there instead of a kept column decides no scales.
            return new SecondMoment(whole.width, SMALLEST_DAMPING * whole.meanDiagonal(), this::remaining);
        }

        private double remaining(int row, int column) {
            if (free[row] || free[column] || row == column && whole.dead(row)) {
                return 0;
            }
            double sum = whole.at(row, column);
            for (int i = 0; i < kept.length; i++) {
                sum -= whole.at(row, kept[i]) * solution.get(i, column);
            }
            return row == column ? Math.max(sum, Double.MIN_NORMAL) : sum;
        }

        /** By how much the kept column of index {@code index} makes up for {@code errors [in]} of a row. */
        public double madeUp(int index, float[] errors) {
            double sum = 0;
            for (int column = 0; column < errors.length; column++) {
                sum += errors[column] * solution.get(index, column);
            }
            return sum;
        }
    }

    /** The finished matrix. */
    public static final class SecondMoment {
        private final int width;
        private final Entries entries;
        private final double deadDiagonal;
        private final OnDemand<FloatPanels> panels = new OnDemand<>(this::pack);

        private SecondMoment(int width, double deadDiagonal, Entries entries) {
            this.deadDiagonal = deadDiagonal;
            this.width = width;
            this.entries = entries;
        }

        /** Numbers on and above the diagonal, {@code row <= column}; a dead column's are zero. */
        @FunctionalInterface
        private interface Entries {
            double at(int row, int column);
        }

        public int width() {
            return width;
        }

        /** All of it in floats, as the right side of products; packed when first asked for. */
        public FloatPanels panels() {
            return panels.get();
        }

        private FloatPanels pack() {
            return FloatPanels.pack(width, width, (row, column, count, target, at) -> {
                for (int i = 0; i < count; i++) {
                    target[at + i] = (float) at(row, column + i);
                }
            });
        }

        public double at(int row, int column) {
            double sum = row <= column ? entries.at(row, column) : entries.at(column, row);
            return row == column && sum == 0 ? deadDiagonal : sum;
        }

        /** The share of columns that are dead. */
        public double silent() {
            int silent = 0;
            for (int column = 0; column < width; column++) {
                silent += dead(column) ? 1 : 0;
            }
            return (double) silent / width;
        }

        /** Whether the input of {@code column} was always zero. */
        public boolean dead(int column) {
            return entries.at(column, column) == 0;
        }

        /**
         * The columns apart from {@code kept}, which can be set freely at the end: what an error of the others then costs is
         * H_nn − H_nk (H_kk + λI)⁻¹ H_kn. The kept ones are dead in it.
         *
         * @param kept ascending
         * @param damping λ as a share of the mean diagonal
         */
        public Without without(int[] kept, double damping) {
            DMatrixRMaj corner = new DMatrixRMaj(kept.length, kept.length);
            DMatrixRMaj across = new DMatrixRMaj(kept.length, width);
            // Enough that columns which always go together do not make the corner singular.
            double added = Math.max(damping, SMALLEST_DAMPING) * meanDiagonal();
            for (int i = 0; i < kept.length; i++) {
                for (int j = 0; j < kept.length; j++) {
                    corner.set(i, j, at(kept[i], kept[j]) + (i == j ? added : 0));
                }
                for (int column = 0; column < width; column++) {
                    across.set(i, column, at(kept[i], column));
                }
            }
            DMatrixRMaj solution = new DMatrixRMaj(kept.length, width);
            LinearSolverDense<DMatrixRMaj> solver = LinearSolverFactory_DDRM.symmPosDef(kept.length);
            if (!solver.setA(corner)) {
                throw new InvalidRequestException(
                        "calibration",
                        "activations are not finite numbers",
                        "check that the model itself gives finite logits");
            }
            solver.solve(across, solution);
            for (int i = 0; i < kept.length; i++) {
                for (int column : kept) {
                    solution.set(i, column, 0);
                }
            }
            return new Without(this, kept.clone(), solution);
        }

        public double[] diagonal() {
            double[] diagonal = new double[width];
            Arrays.setAll(diagonal, i -> at(i, i));
            return diagonal;
        }

        public double meanDiagonal() {
            return Arrays.stream(diagonal()).average().orElse(0);
        }
    }
}
