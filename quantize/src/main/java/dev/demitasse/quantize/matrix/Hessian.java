package dev.demitasse.quantize.matrix;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The second moment of a linear module's inputs, H = 2/N · XᵀX {@code [in, in]}: how much an error in each pair of its
 * weights costs at its output (Frantar et al., arXiv:2210.17323, §3.3). X {@code [tokens, in]} is never held: batches of
 * tokens are added as they come. Sums are floats inside a batch of 128 tokens and doubles beyond.
 *
 * <p>A column whose input was always zero is <em>dead</em>: its diagonal becomes 1, so that H stays invertible, and its
 * weights do not matter.
 */
public final class Hessian {
    private final int width;
    private final double[] sums;
    private final TokenPanels panels;
    private long tokens;

    /** @param width inputs of the module; up to 46,340 */
    public Hessian(int width) {
        this.width = width;
        this.sums = new double[Math.multiplyExact(width, width)];
        this.panels = new TokenPanels(width);
    }

    /** Adds {@code tokens} rows of {@code input}, row-major {@code [tokens, width]}. */
    public void add(float[] input, int tokens) {
        for (int first = 0; first < tokens; first += TokenPanels.TOKENS) {
            panels.load(input, first, Math.min(TokenPanels.TOKENS, tokens - first));
            TokenPanels.addProduct(sums, panels, panels, true);
        }
        this.tokens += tokens;
    }

    public int width() {
        return width;
    }

    /** How many tokens were added. */
    public long tokens() {
        return tokens;
    }

    /** The symmetric matrix {@code [width, width]}, dead columns with 1 on the diagonal, undamped. */
    public SecondMoment moment() {
        if (tokens == 0) {
            throw new IllegalStateException("no activations were added");
        }
        double[] matrix = new double[sums.length];
        double factor = 2.0 / tokens;
        IntStream.range(0, width).parallel().forEach(row -> {
            for (int column = 0; column < width; column++) {
                int upper = row <= column ? row * width + column : column * width + row;
                matrix[row * width + column] = sums[upper] * factor;
            }
        });
        boolean[] dead = new boolean[width];
        for (int column = 0; column < width; column++) {
            dead[column] = matrix[column * width + column] == 0;
            if (dead[column]) {
                matrix[column * width + column] = 1;
            }
        }
        return new SecondMoment(width, matrix, dead);
    }

    /** The finished matrix. */
    public static final class SecondMoment {
        private final int width;
        private final double[] matrix;
        private final boolean[] dead;

        private SecondMoment(int width, double[] matrix, boolean[] dead) {
            this.width = width;
            this.matrix = matrix;
            this.dead = dead;
        }

        public int width() {
            return width;
        }

        /** All of it; not to be written to. */
        public View view() {
            return View.of(matrix, width, width);
        }

        public double at(int row, int column) {
            return matrix[row * width + column];
        }

        /** Whether the input of {@code column} was always zero. */
        public boolean dead(int column) {
            return dead[column];
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
