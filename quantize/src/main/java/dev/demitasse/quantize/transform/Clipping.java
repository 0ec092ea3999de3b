package dev.demitasse.quantize.transform;

import dev.demitasse.model.format.BlockFit;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * AWQ's clipping: weights of a block beyond a bound are set to it before the block is rounded, the bound the one of 100 %,
 * 95 % … 55 % of the block's largest magnitude that gives the least error of the block's own part of the output on a
 * sample of tokens (Lin et al., arXiv:2306.00978; github.com/mit-han-lab/llm-awq, auto_clip.py, which leaves the queries'
 * and keys' projections as they are, for their products go through a softmax). Of use where a grid's scale is the range of
 * its weights; a searched scale clips by itself.
 */
public final class Clipping {
    private static final int STEPS = 10;
    private static final double STEP = 0.05;

    private Clipping() {}

    /**
     * The bound of each block, row by row {@code [out, blocks]}.
     *
     * @param sample of the weight's inputs {@code [tokens, in]}
     */
    public static float[] bounds(Matrix weight, Matrix sample, Grid grid) {
        int size = grid.blockSize();
        int blocks = weight.columns() / size;
        float[] bounds = new float[Math.multiplyExact(weight.rows(), blocks)];
        IntStream.range(0, weight.rows()).parallel().forEach(row -> {
            Search search = new Search(grid, sample);
            for (int block = 0; block < blocks; block++) {
                bounds[row * blocks + block] = search.bound(weight, row, block * size);
            }
        });
        return bounds;
    }

    /** {@code weight} within the bounds that serve it best. */
    public static Matrix clip(Matrix weight, Matrix sample, Grid grid) {
        float[] bounds = bounds(weight, sample, grid);
        Matrix clipped = weight.copy();
        int size = grid.blockSize();
        for (int i = 0; i < clipped.values().length; i++) {
            clipped.values()[i] = Math.clamp(clipped.values()[i], -bounds[i / size], bounds[i / size]);
        }
        return clipped;
    }

    /** Rounds one block under bound after bound. */
    private static final class Search {
        private final Grid grid;
        private final Matrix sample;
        private final BlockFit fit;
        private final BlockNumbers numbers;
        private final double[] values;
        private final double[] importance;
        private final float[] rounded;

        Search(Grid grid, Matrix sample) {
            int size = grid.blockSize();
            this.grid = grid;
            this.sample = sample;
            this.fit = new BlockFit(grid.scheme());
            this.numbers = new BlockNumbers(grid.scheme());
            this.values = new double[size];
            this.importance = new double[size];
            this.rounded = new float[size];
            Arrays.fill(importance, 1);
        }

        float bound(Matrix weight, int row, int column) {
            float largest = 0;
            for (int i = 0; i < values.length; i++) {
                largest = Math.max(largest, Math.abs(weight.at(row, column + i)));
            }
            float best = largest;
            double least = Double.POSITIVE_INFINITY;
            for (int step = 0; step < STEPS; step++) {
                double bound = largest * (1 - step * STEP);
                for (int i = 0; i < values.length; i++) {
                    values[i] = Math.clamp(weight.at(row, column + i), -bound, bound);
                }
                grid.fitting().fit(fit, values, 0, importance, 0, numbers);
                numbers.decode(rounded, 0);
                double error = error(weight, row, column);
                if (error < least) {
                    least = error;
                    best = (float) bound;
                }
            }
            return best;
        }

        private double error(Matrix weight, int row, int column) {
            double error = 0;
            for (int token = 0; token < sample.rows(); token++) {
                double missed = 0;
                for (int i = 0; i < rounded.length; i++) {
                    missed +=
                            (double) sample.at(token, column + i) * ((double) weight.at(row, column + i) - rounded[i]);
                }
                error += missed * missed;
            }
            return error;
        }
    }
}
