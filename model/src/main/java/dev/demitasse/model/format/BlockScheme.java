package dev.demitasse.model.format;

import java.util.Optional;

/**
 * How elements come of the numbers that a block stores:
 * {@code element = (scale · scaleCode) · level(code) + base}, in float32, each product rounded. What the base is,
 * {@link Offset} says; a scheme without {@link #scaleCodes} has one sub-block, whose scale code is 1.
 *
 * @param size elements of a block
 * @param subSize elements of a sub-block, which share a scale code and a base
 * @param levels what codes stand for
 * @param scaleFormat of the block's scale
 * @param scaleCodes the integers that the block's scale is multiplied by
 */
public record BlockScheme(
        int size,
        int subSize,
        Levels levels,
        ScaleFormat scaleFormat,
        Optional<Levels.Integers> scaleCodes,
        Offset offset) {

    /** What is added to every element of a sub-block. */
    public sealed interface Offset {
        /** Nothing. */
        record None() implements Offset {}

        /** The block's minimum, a float16 of any sign. */
        record Minimum() implements Offset {}

        /** −(minimum · code): the block's minimum, a float16, times an integer from 0 to {@code largest}. */
        record MinimumCodes(int largest) implements Offset {}

        /** −scale · zero: the code that stands for zero, one of the levels. */
        record Zero() implements Offset {}
    }

    public BlockScheme {
        if (size < 1 || subSize < 1 || size % subSize != 0 || scaleCodes.isEmpty() && size != subSize) {
            throw new IllegalArgumentException("blocks of %d in parts of %d".formatted(size, subSize));
        }
    }

    /** Blocks with nothing but a float16 scale. */
    public static BlockScheme scaled(int size, Levels levels) {
        return new BlockScheme(size, size, levels, ScaleFormat.F16, Optional.empty(), new Offset.None());
    }

    /** Blocks with a float16 scale and an offset. */
    public static BlockScheme offset(int size, Levels levels, Offset offset) {
        return new BlockScheme(size, size, levels, ScaleFormat.F16, Optional.empty(), offset);
    }

    /** Blocks with a float16 scale that is multiplied by integers. */
    public static BlockScheme nested(
            int size, int subSize, Levels levels, int smallestScaleCode, int largestScaleCode, Offset offset) {
        return new BlockScheme(
                size,
                subSize,
                levels,
                ScaleFormat.F16,
                Optional.of(new Levels.Integers(smallestScaleCode, largestScaleCode)),
                offset);
    }

    /** Sub-blocks in a block. */
    public int subBlocks() {
        return size / subSize;
    }

    /** Whether each sub-block has a base of its own. */
    public boolean hasOffset() {
        return !(offset instanceof Offset.None);
    }
}
