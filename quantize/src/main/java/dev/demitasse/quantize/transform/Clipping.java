package dev.demitasse.quantize.transform;

import dev.demitasse.model.format.BlockFit;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.stream.IntStream;

/**
 * AWQ's clipping: weights of a block beyond a bound are set to it before the block is rounded, the bound the one of 100 %,
 * 95 % … 55 % of the block's largest magnitude that gives the least error of the block's own part of the output, e H_bb eᵀ with the
 * block's corner of the input's second moment (Lin et al., arXiv:2306.00978; github.com/mit-han-lab/llm-awq, auto_clip.py, which leaves the queries'
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
     * @param moment of the weight's inputs
     */
    public static float[] bounds(Matrix weight, SecondMoment moment, Grid grid) {
        int size = grid.blockSize();
        int blocks = weight.columns() / size;
        float[] bounds = new float[Math.multiplyExact(weight.rows(), blocks)];
        IntStream.range(0, blocks).parallel().forEach(block -> {
            Search search = new Search(grid, moment, block * size);
            for (int row = 0; row < weight.rows(); row++) {
                bounds[row * blocks + block] = search.bound(weight, row);
            }
        });
        return bounds;
    }

    /** {@code weight} within the bounds that serve it best. */
    public static Matrix clip(Matrix weight, SecondMoment moment, Grid grid) {
        float[] bounds = bounds(weight, moment, grid);
        Matrix clipped = weight.copy();
        int size = grid.blockSize();
        for (int i = 0; i < clipped.values().length; i++) {
            clipped.values()[i] = Math.clamp(clipped.values()[i], -bounds[i / size], bounds[i / size]);
        }
        return clipped;
    }

    /** Rounds one block of columns under bound after bound. */
    private static final class Search {
        private final Grid grid;
        private final int column;
        private final BlockFit fit;
        private final BlockNumbers numbers;
        private final double[] values;
        private final double[] importance;
        private final float[] rounded;
        private final double[] missed;
        /** The block's part of the moment {@code [size, size]}, its lower triangle. */
        private final double[] corner;

        Search(Grid grid, SecondMoment moment, int column) {
            int size = grid.blockSize();
            this.grid = grid;
            this.column = column;
            this.fit = new BlockFit(grid.scheme());
            this.numbers = new BlockNumbers(grid.scheme());
            this.values = new double[size];
            this.importance = new double[size];
            this.rounded = new float[size];
            this.missed = new double[size];
            this.corner = new double[size * size];
            for (int i = 0; i < size; i++) {
                importance[i] = moment.at(column + i, column + i);
                for (int j = 0; j <= i; j++) {
                    corner[i * size + j] = moment.at(column + i, column + j);
                }
            }
        }

        float bound(Matrix weight, int row) {
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
                double error = error(weight, row);
                if (error < least) {
                    least = error;
                    best = (float) bound;
                }
            }
            return best;
        }

        private double error(Matrix weight, int row) {
            double error = 0;
            for (int i = 0; i < rounded.length; i++) {
                missed[i] = (double) weight.at(row, column + i) - rounded[i];
                double sum = 0;
                for (int j = 0; j < i; j++) {
                    sum += corner[i * rounded.length + j] * missed[j];
                }
                error += missed[i] * (2 * sum + corner[i * rounded.length + i] * missed[i]);
            }
            return error;
        }
    }
}
