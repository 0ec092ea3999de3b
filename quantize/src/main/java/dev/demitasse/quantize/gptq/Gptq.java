package dev.demitasse.quantize.gptq;

import dev.demitasse.quantize.gptq.GptqOptions.Scales;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.matrix.DoubleProduct;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.InverseFactor;
import dev.demitasse.quantize.matrix.Matrix;
import dev.demitasse.quantize.matrix.View;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * GPTQ: quantizes a weight column by column and lets the columns still to come absorb each error (Frantar et al.,
 * arXiv:2210.17323, §3.3, algorithm 1): e = (w_j − ŵ_j) / U_jj, then w_k −= e · U_jk for k &gt; j, where U is the
 * {@link InverseFactor}. Columns go in blocks; what a block does to everything right of it is one product.
 *
 * <p>Rows do not depend on each other: tiles of rows run in parallel, each in double precision, and the result does not
 * depend on how many threads there are.
 *
 * <p>Deviations: scales are by default chosen from fully updated weights ({@link Scales#CURRENT}); formats with fixed
 * blocks reorder whole blocks only.
 *
 * <p>Shapes: W {@code [out, in]}, H and U {@code [in, in]}.
 */
public final class Gptq {
    private static final int TILE = 32;

    private final SecondMoment moment;
    private final InverseFactor factor;
    private final Grid grid;
    private final GptqOptions options;
    private final int columns;
    private final int groupSize;
    private final int blockSize;
    private final int[] order;
    private final int[] groupOfColumn;
    private final double[] importance;

    private Gptq(SecondMoment moment, Grid grid, GptqOptions options) {
        this.moment = moment;
        this.grid = grid;
        this.options = options;
        this.columns = moment.width();
        this.groupSize = grid.groupSize(columns);
        if (grid.fixedGroups() && options.order() == ColumnOrder.COLUMNS && options.scales() != Scales.ORIGINAL) {
            throw new IllegalArgumentException(grid + " has fixed groups, which single columns cannot leave");
        }
        // A group is never cut by a block, unless it is larger than one: then its scale comes from its first block on.
        int block = options.blockSize();
        this.blockSize = groupSize >= block ? block : block / groupSize * groupSize;
        this.order = options.order().order(moment, groupSize);
        this.factor = InverseFactor.of(moment, order, options.damping());
        this.groupOfColumn = new int[columns];
        boolean regroup = options.order() == ColumnOrder.COLUMNS && options.scales() != Scales.ORIGINAL;
        for (int position = 0; position < columns; position++) {
            groupOfColumn[order[position]] = (regroup ? position : order[position]) / groupSize;
        }
        this.importance = importance();
    }

    /**
     * Prepares for weights that share an input: the factorization is done once for all of them.
     *
     * @param moment of their input
     */
    public static Gptq prepare(SecondMoment moment, Grid grid, GptqOptions options) {
        return new Gptq(moment, grid, options);
    }

    /** The damping that the factorization succeeded with: the one asked for, or a larger one. */
    public double damping() {
        return factor.damping();
    }

    /** The factor of the inverse second moment, in the order columns are quantized in. */
    public InverseFactor factor() {
        return factor;
    }

    /** Quantizes {@code weight}, which is left as it is. */
    public Result quantize(Matrix weight) {
        if (weight.columns() != columns) {
            throw new IllegalArgumentException("%d columns, activations have %d".formatted(weight.columns(), columns));
        }
        QuantizedMatrix target = new QuantizedMatrix(grid, weight.rows(), columns, groupOfColumn);
        int tiles = Math.ceilDiv(weight.rows(), TILE);
        double[] losses = new double[tiles];
        IntStream.range(0, tiles).parallel().forEach(tile -> {
            int first = tile * TILE;
            losses[tile] = new Tile(weight, first, Math.min(TILE, weight.rows() - first), target).quantize();
        });
        return new Result(target, Arrays.stream(losses).sum());
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

    /** By column. */
    private double[] unordered(double[] byPosition) {
        double[] byColumn = new double[columns];
        for (int position = 0; position < columns; position++) {
            byColumn[order[position]] = byPosition[position];
        }
        return byColumn;
    }

    /** A few rows on their way through all columns. */
    private final class Tile {
        private final int first;
        private final int rows;
        private final QuantizedMatrix target;
        /** Weights by position, dead columns zero. */
        private final double[] weights;

        private final double[] errors;
        private double loss;

        Tile(Matrix weight, int first, int rows, QuantizedMatrix target) {
            this.first = first;
            this.rows = rows;
            this.target = target;
            this.weights = new double[rows * columns];
            this.errors = new double[rows * blockSize];
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
            View all = View.of(weights, rows, columns);
            for (int start = 0; start < columns; start += blockSize) {
                int size = Math.min(blockSize, columns - start);
                for (int row = 0; row < rows; row++) {
                    quantizeBlock(row, start, size);
                }
                int after = start + size;
                DoubleProduct.add(
                        all.part(0, after, rows, columns - after),
                        -1,
                        new View(errors, 0, blockSize, rows, size),
                        factor.upper().part(start, after, size, columns - after));
            }
            return loss / 2;
        }

        private void fitOriginal() {
            double[] byColumn = unordered(importance);
            for (int row = 0; row < rows; row++) {
                double[] original = unordered(Arrays.copyOfRange(weights, row * columns, (row + 1) * columns));
                for (int at = 0; at < columns; at += groupSize) {
                    int count = Math.min(groupSize, columns - at);
                    target.setStep(first + row, at / groupSize, grid.fit(original, at, byColumn, at, count));
                }
            }
        }

        private void quantizeBlock(int row, int start, int size) {
            int at = row * columns;
            double[] before = options.scales() == Scales.BLOCK_START
                    ? Arrays.copyOfRange(weights, at + start, at + columns)
                    : weights;
            int beforeAt = options.scales() == Scales.BLOCK_START ? -start : at;
            double[] upper = factor.upper().values();
            for (int position = start; position < start + size; position++) {
                if (options.scales() != Scales.ORIGINAL && position % groupSize == 0) {
                    int count = Math.min(groupSize, columns - position);
                    Grid.Step step = grid.fit(before, beforeAt + position, importance, position, count);
                    target.setStep(first + row, groupOfColumn[order[position]], step);
                }
                double value = weights[at + position];
                double rounded = target.round(first + row, order[position], value);
                double error = (value - rounded) / factor.diagonal(position);
                errors[row * blockSize + position - start] = error;
                loss += error * error;
                int next = position + 1;
                DoubleProduct.addScaled(
                        weights, at + next, -error, upper, position * columns + next, start + size - next);
            }
        }
    }
}
