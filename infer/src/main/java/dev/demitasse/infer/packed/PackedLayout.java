package dev.demitasse.infer.packed;

import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.BlockScheme;
import dev.demitasse.model.format.BlockScheme.Offset;
import dev.demitasse.model.format.Levels;
import dev.demitasse.model.format.ScaleFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * How the blocks of a format lie when {@code lanes} rows are interleaved, so that each lane of a vector works at a row of
 * its own and all that a kernel needs comes in one stream:
 *
 * <pre>
 * block   := scale[lanes] (float16)  minimum[lanes] (float16, if there is one)  stretch × (size / 32)
 * stretch := scaleCode[parts][lanes] (int8, if any)  minimumCode[parts][lanes] (int8, if any)  planes
 * </pre>
 *
 * <p>Nothing is added but that sub-block scales of 6 bits take a byte: a matrix is as large as in its file, Q4_K 3 % larger.
 * An element is {@code (scale · scaleCode) · (level(code) − bias) − (minimum · minimumCode)}.
 *
 * @param lanes rows side by side
 * @param size columns of a block
 * @param parts sub-blocks with a scale of their own in a stretch: 1 or 2
 * @param bits of a code
 * @param bias what is taken off a level
 * @param table levels by code, 0 … 255; empty if a code is its own level
 * @param scaleCodes whether scales are products
 * @param minimum whether something is taken off every element
 * @param minimumCodes whether that is a product
 */
record PackedLayout(
        int lanes,
        int size,
        int parts,
        int bits,
        int bias,
        List<Integer> table,
        boolean scaleCodes,
        boolean minimum,
        boolean minimumCodes) {
    /** Columns that share an 8-bit scale of the input. */
    static final int STRETCH = 32;

    /** Vectors of four codes of each row in a stretch. */
    static final int VECTORS = STRETCH / 4;

    private static final int TABLE_BIAS = 128;

    /** The layout of a format; empty if its numbers are not integers with float16 scales. */
    static Optional<PackedLayout> of(BlockFormat format, int lanes) {
        BlockScheme scheme = format.scheme();
        boolean fits = scheme.scaleFormat() == ScaleFormat.F16
                && scheme.size() % STRETCH == 0
                && (scheme.subSize() == STRETCH / 2 || scheme.subSize() % STRETCH == 0);
        if (!fits) {
            return Optional.empty();
        }
        return switch (scheme.levels()) {
            case Levels.Integers integers -> {
                int bits = width(integers);
                int bias = integers.least() < 0 ? bits == 8 ? 128 : -integers.least() : 0;
                yield Optional.of(of(scheme, lanes, bits, bias, List.of()));
            }
            case Levels.Table table ->
                integral(table) ? Optional.of(of(scheme, lanes, 4, TABLE_BIAS, biased(table))) : Optional.empty();
        };
    }

    private static PackedLayout of(BlockScheme scheme, int lanes, int bits, int bias, List<Integer> table) {
        Offset offset = scheme.offset();
        return new PackedLayout(
                lanes,
                scheme.size(),
                scheme.subSize() < STRETCH ? 2 : 1,
                bits,
                bias,
                table,
                scheme.scaleCodes().isPresent(),
                scheme.hasOffset(),
                offset instanceof Offset.MinimumCodes || offset instanceof Offset.Zero);
    }

    /** Bits that hold the codes of a file, which may use one more than encoders do. */
    private static int width(Levels.Integers levels) {
        int count = levels.greatest() - levels.least() + 1;
        return Math.max(2, Integer.SIZE - Integer.numberOfLeadingZeros(count - 1));
    }

    private static boolean integral(Levels.Table table) {
        boolean integral = table.count() <= 16;
        for (int code = 0; code < table.count(); code++) {
            float level = table.of(code);
            integral &= level == Math.rint(level) && Math.abs(level) < TABLE_BIAS;
        }
        return integral;
    }

    private static List<Integer> biased(Levels.Table table) {
        List<Integer> levels = new ArrayList<>();
        for (int code = 0; code < table.count(); code++) {
            levels.add((int) table.of(code) + TABLE_BIAS);
        }
        return levels;
    }

    /** A code's bits in planes of 8, 4, 2 and 1. */
    List<Plane> planes() {
        return switch (bits) {
            case 8 -> List.of(new Plane(8, 0, 0));
            case 6 -> List.of(new Plane(4, 0, 0), new Plane(2, 4, 16));
            case 5 -> List.of(new Plane(4, 0, 0), new Plane(1, 4, 16));
            case 4 -> List.of(new Plane(4, 0, 0));
            case 3 -> List.of(new Plane(2, 0, 0), new Plane(1, 2, 8));
            case 2 -> List.of(new Plane(2, 0, 0));
            default -> throw new IllegalStateException(bits + " bits");
        };
    }

    /** Bytes before a block's first stretch. */
    int headBytes() {
        return 2 * lanes * (minimum ? 2 : 1);
    }

    /** From a stretch to its minimum codes. */
    int minimumCodesAt() {
        return scaleCodes ? parts * lanes : 0;
    }

    /** From a stretch to its planes. */
    int planesAt() {
        return minimumCodesAt() + (minimumCodes ? parts * lanes : 0);
    }

    int stretchBytes() {
        return planesAt() + lanes * STRETCH * bits / 8;
    }

    int stretches() {
        return size / STRETCH;
    }

    int blockBytes() {
        return headBytes() + stretches() * stretchBytes();
    }
}
