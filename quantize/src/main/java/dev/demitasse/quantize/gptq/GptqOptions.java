package dev.demitasse.quantize.gptq;

/**
 * How GPTQ runs.
 *
 * @param damping share of H's mean diagonal that is added to the diagonal
 * @param order in which columns are quantized
 * @param blockSize columns between two updates of everything to their right
 * @param scales from which weights a group's scale is chosen
 * @param importance by what errors are weighted while a scale is chosen
 */
public record GptqOptions(double damping, ColumnOrder order, int blockSize, Scales scales, Importance importance) {
    /** From which weights a group's scale is chosen. */
    public enum Scales {
        /** As they stand when the group's first column is reached: all earlier errors already made up for. */
        CURRENT,
        /** As they stood when the block of columns began, which is what the published code does. */
        BLOCK_START,
        /** As they were at first: "static groups" in the published code. */
        ORIGINAL
    }

    /** By what the square of a weight's error is weighted while a scale is chosen. */
    public enum Importance {
        /** H_jj: the cost if no other column made up for it. */
        DIAGONAL,
        /** 1 / U_jj²: the cost after the columns to come have made up for what they can. */
        REMAINING
    }

    public GptqOptions {
        if (!(damping >= 0) || blockSize < 1) {
            throw new IllegalArgumentException("damping %s, block size %d".formatted(damping, blockSize));
        }
    }

    /** For formats with fixed blocks of neighbouring columns. */
    public static GptqOptions forBlocks(double damping, boolean reorder) {
        return new GptqOptions(
                damping, reorder ? ColumnOrder.GROUPS : ColumnOrder.NATURAL, 128, Scales.CURRENT, Importance.REMAINING);
    }
}
