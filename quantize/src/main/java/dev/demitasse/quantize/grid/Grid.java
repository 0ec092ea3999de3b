package dev.demitasse.quantize.grid;

import dev.demitasse.model.format.BlockFit;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.model.format.BlockScheme;
import dev.demitasse.model.format.BlockScheme.Offset;
import dev.demitasse.model.format.Levels;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.ScaleFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.Optional;

/**
 * The numbers that the weights of a row can take: what a block of neighbours stores, and how its scales are chosen. A
 * scale is always the number that will be stored, so that what an algorithm made up for is the error that ships.
 */
public record Grid(BlockScheme scheme, Fitting fitting) {
    /** How scales are chosen. */
    public enum Fitting {
        /** By least weighted squared error: {@link BlockFit#search}. */
        SEARCH,
        /** By the range of the weights: {@link BlockFit#range}. */
        RANGE,
        /** By the range of the weights, whether it holds 0 or not: {@link BlockFit#span}. */
        SPAN;

        /** Chooses the scales for {@code scheme.size()} values, and their codes. */
        public void fit(
                BlockFit fit, double[] values, int at, double[] importance, int importanceAt, BlockNumbers into) {
            switch (this) {
                case SEARCH -> fit.search(values, at, importance, importanceAt, into);
                case RANGE -> fit.range(values, at, into);
                case SPAN -> fit.span(values, at, into);
            }
        }
    }

    /** The grid of a format in a matrix of {@code columns}; empty for floating-point formats. */
    public static Optional<Grid> of(TensorFormat format, int columns) {
        return switch (format) {
            case BlockFormat block -> Optional.of(new Grid(block.scheme(), Fitting.SEARCH));
            case ScalarFormat scalar ->
                scalar.rowScaled() ? Optional.of(row(scalar.levels(), columns)) : Optional.empty();
        };
    }

    /** One float scale for a row, by the largest magnitude: what matrix products in INT8 and FP8 take. */
    private static Grid row(Levels levels, int columns) {
        return new Grid(floatScaled(columns, levels, new Offset.None()), Fitting.RANGE);
    }

    /**
     * The grid of the published GPTQ code (github.com/IST-DASLab/gptq, quant.py): float scales, min-max range, groups of
     * any size.
     *
     * @param symmetric whether the range is [−max|w|, max|w|] with the zero in its middle, or [min(w, 0), max(w, 0)]
     */
    public static Grid published(int bits, boolean symmetric, int groupSize) {
        int half = 1 << (bits - 1);
        return symmetric
                ? new Grid(
                        floatScaled(groupSize, new Levels.Integers(-half, half - 1), new Offset.None()), Fitting.RANGE)
                : new Grid(
                        floatScaled(groupSize, new Levels.Integers(0, 2 * half - 1), new Offset.Zero()), Fitting.RANGE);
    }

    /** The grid of AWQ's published code: float scales, the range [min w, max w], which need not hold 0. */
    public static Grid spanning(int bits, int groupSize) {
        return new Grid(
                floatScaled(groupSize, new Levels.Integers(0, (1 << bits) - 1), new Offset.Zero()), Fitting.SPAN);
    }

    private static BlockScheme floatScaled(int size, Levels levels, Offset offset) {
        return new BlockScheme(size, size, levels, ScaleFormat.F32, Optional.empty(), offset);
    }

    /** Columns that share all they store. */
    public int blockSize() {
        return scheme.size();
    }

    /** Columns that share a step. */
    public int subSize() {
        return scheme.subSize();
    }
}
