package dev.demitasse.quantize.gptq;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.model.format.BlockFit;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.quantize.gptq.GptqOptions.Scales;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.matrix.FloatPanels;
import dev.demitasse.quantize.matrix.FloatProduct;
import dev.demitasse.quantize.matrix.FloatView;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.InverseFactor;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * GPTQ: quantizes a weight column by column and lets the columns still to come absorb each error (Frantar et al.,
 * arXiv:2210.17323, §3.3, algorithm 1): e = (w_j − ŵ_j) / U_jj, then w_k −= e · U_jk for k &gt; j, where U is the
 * {@link InverseFactor}. Columns go in blocks; what a block does to everything right of it is one product.
 *
 * <p>Rows do not depend on each other: tiles of rows run in parallel, and the result does not depend on how many threads
 * there are. The factor is found in double precision, weights and errors are floats, as in the published code.
 *
 * <p>Deviations: scales are by default chosen from fully updated weights ({@link Scales#CURRENT}), those of a block with
 * nested scales all at its first column; formats with fixed blocks reorder whole blocks only.
 *
 * <p>Shapes: W {@code [out, in]}, H and U {@code [in, in]}.
 */
public final class Gptq {
    private static final int TILE = 96;

    private final SecondMoment moment;
    private final InverseFactor factor;
    private final FloatPanels upper;
    private final int groupSize;
    private final GptqOptions options;
    private final int columns;
    private final int[] order;
    private final double[] importance;

    private Gptq(SecondMoment moment, int groupSize, GptqOptions options) {
        this.moment = moment;
        this.groupSize = groupSize;
        this.options = options;
        this.columns = moment.width();
        this.order = options.order().order(moment, groupSize);
        this.factor = InverseFactor.of(moment, order, options.damping());
        this.upper = factor.panels();
        this.importance = importance();
    }

    /**
     * Prepares for weights that share an input: the factorization is done once for all of them.
     *
     * @param moment of their input
     * @param groupSize how many neighbouring columns stay together; a multiple of the blocks of each weight's grid
     */
    public static Gptq prepare(SecondMoment moment, int groupSize, GptqOptions options) {
        return new Gptq(moment, groupSize, options);
    }

    /** The damping that the factorization succeeded with: the one asked for, or a larger one. */
    public double damping() {
        return factor.damping();
    }

    /** Aims at the float model's outputs through the factor found for this input. */
    public FloatTarget target(double alpha) {
        return new FloatTarget(factor, upper, alpha);
    }

    /** Quantizes {@code weight}, which is left as it is, onto {@code grid}. */
    public Result quantize(Matrix weight, Grid grid) {
        if (weight.columns() != columns) {
            throw new IllegalArgumentException("%d columns, activations have %d".formatted(weight.columns(), columns));
        }
        if (groupSize % grid.blockSize() != 0) {
            throw new IllegalArgumentException("groups of %d tear blocks of %d".formatted(groupSize, grid.blockSize()));
        }
        QuantizedMatrix target = new QuantizedMatrix(grid, weight.rows(), columns, subOfColumn(grid));
        int tiles = Math.ceilDiv(weight.rows(), TILE);
        double[] losses = new double[tiles];
        IntStream.range(0, tiles).parallel().forEach(tile -> {
            int first = tile * TILE;
            losses[tile] = new Tile(weight, first, Math.min(TILE, weight.rows() - first), grid, target).quantize();
        });
        return new Result(target, Arrays.stream(losses).sum());
    }

    private int[] subOfColumn(Grid grid) {
        boolean regroup = options.order() == ColumnOrder.COLUMNS && options.scales() != Scales.ORIGINAL;
        if (regroup && grid.blockSize() != grid.subSize()) {
            throw new IllegalArgumentException("nested scales are of neighbours, which single columns cannot leave");
        }
        int[] subs = new int[columns];
        for (int position = 0; position < columns; position++) {
            subs[order[position]] = (regroup ? position : order[position]) / grid.subSize();
        }
        return subs;
    }

    /**
     * What came out.
     *
     * @param loss Σ e² / 2: half the squared output error that was left, as the published code sums it, in units of H
     */
    public record Result(QuantizedMatrix matrix, double loss) {}

    /** By position. */
    private double[] importance() {
        double[] values = new double[columns];
        for (int position = 0; position < columns; position++) {
            values[position] = switch (options.importance()) {
                case DIAGONAL -> moment.at(order[position], order[position]);
                case REMAINING -> 1 / (factor.diagonal(position) * factor.diagonal(position));
            };
        }
        return values;
    }

    /** A few rows on their way through all columns. */
    private final class Tile {
        private final int first;
        private final int rows;
        private final Grid grid;
        private final QuantizedMatrix target;
        private final int blockSize;
        /** Weights by position, dead columns zero. */
        private final float[] weights;

        private final float[] errors;
        private final BlockFit fit;
        private final BlockNumbers numbers;
        private final double[] values;
        /** U's corner of the current block {@code [blockSize, blockSize]}. */
        private final float[] corner;

        private double loss;

        Tile(Matrix weight, int first, int rows, Grid grid, QuantizedMatrix target) {
            this.first = first;
            this.rows = rows;
            this.grid = grid;
            this.target = target;
            this.fit = new BlockFit(grid.scheme());
            this.numbers = new BlockNumbers(grid.scheme());
            this.values = new double[grid.blockSize()];
            // Scales are never cut by a block, unless they serve more: then they are chosen in their first block.
            int block = options.blockSize();
            this.blockSize = grid.blockSize() >= block ? block : block / grid.blockSize() * grid.blockSize();
            this.corner = new float[blockSize * blockSize];
            this.weights = new float[rows * columns];
            this.errors = new float[rows * blockSize];
            for (int row = 0; row < rows; row++) {
                for (int position = 0; position < columns; position++) {
                    weights[row * columns + position] =
                            moment.dead(order[position]) ? 0 : weight.at(first + row, order[position]);
                }
            }
        }

        double quantize() {
            if (options.scales() == Scales.ORIGINAL) {
                fitOriginal();
            }
            FloatView all = FloatView.of(weights, rows, columns);
            for (int start = 0; start < columns; start += blockSize) {
                int size = Math.min(blockSize, columns - start);
                for (int row = 0; row < size; row++) {
                    upper.copyRow(start + row, start, size, corner, row * blockSize);
                }
                for (int row = 0; row < rows; row++) {
                    quantizeBlock(row, start, size);
                }
                int after = start + size;
                if (after < columns) {
                    FloatProduct.add(
                            all.part(0, after, rows, columns - after),
                            -1,
                            new FloatView(errors, 0, blockSize, rows, size),
                            upper,
                            start,
                            after);
                }
            }
            return loss / 2;
        }

        private void fitOriginal() {
            double[] weighting = new double[columns];
            double[] original = new double[columns];
            for (int row = 0; row < rows; row++) {
                for (int position = 0; position < columns; position++) {
                    weighting[order[position]] = importance[position];
                    original[order[position]] = weights[row * columns + position];
                }
                for (int at = 0; at < columns; at += grid.blockSize()) {
                    grid.fitting().fit(fit, original, at, weighting, at, numbers);
                    target.setScales(first + row, at / grid.blockSize(), numbers);
                }
            }
        }

        private void quantizeBlock(int row, int start, int size) {
            int at = row * columns;
            // What the scales are chosen from: the weights themselves, or as they were before this block.
            float[] source = options.scales() == Scales.BLOCK_START
                    ? Arrays.copyOfRange(
                            weights, at + start, at + Math.min(columns, start + Math.max(size, grid.blockSize())))
                    : weights;
            int sourceAt = options.scales() == Scales.BLOCK_START ? -start : at;
            for (int position = start; position < start + size; position++) {
                if (options.scales() != Scales.ORIGINAL && position % grid.blockSize() == 0) {
                    chooseScales(row, position, source, sourceAt + position);
                }
                double value = weights[at + position];
                double rounded = target.round(first + row, order[position], value);
                double error = (value - rounded) / factor.diagonal(position);
                errors[row * blockSize + position - start] = (float) error;
                loss += error * error;
                int next = position + 1;
                int cornerAt = (position - start) * blockSize + next - start;
                Elementwise.addScaled(corner, cornerAt, (float) -error, weights, at + next, start + size - next);
            }
        }

        private void chooseScales(int row, int position, float[] source, int sourceAt) {
            for (int i = 0; i < grid.blockSize(); i++) {
                values[i] = source[sourceAt + i];
            }
            grid.fitting().fit(fit, values, 0, importance, position, numbers);
            target.setScales(
                    first + row, target.subOf(order[position]) / grid.scheme().subBlocks(), numbers);
        }
    }
}
