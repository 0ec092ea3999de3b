package dev.demitasse.quantize.matrix;

import dev.demitasse.model.files.OnDemand;
import java.util.Arrays;

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
        return new SecondMoment(width, sums, 2.0 / tokens);
    }

    /** The finished matrix. */
    public static final class SecondMoment {
        private final int width;
        private final TokenSums sums;
        private final double factor;
        private final OnDemand<FloatPanels> panels = new OnDemand<>(this::pack);

        private SecondMoment(int width, TokenSums sums, double factor) {
            this.width = width;
            this.sums = sums;
            this.factor = factor;
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
            double sum = row <= column ? sums.at(row, column) : sums.at(column, row);
            return row == column && sum == 0 ? 1 : sum * factor;
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
            return sums.at(column, column) == 0;
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
