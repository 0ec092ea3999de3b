package dev.demitasse.infer.linear;

import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.packed.BlockedInput;
import dev.demitasse.infer.packed.FloatTiles;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.InputQuantization;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What one or more projections multiply: x {@code [tokens, width]}. The forms the kernels want it in (tokens in lanes,
 * quantized to 8 bits) are made once, when first asked for, and shared by all projections of the same input. Used by one
 * thread; the array must not change meanwhile.
 */
public final class LinearInput {
    private static final int FEW_COLUMNS = 16;

    private final float[] values;
    private final int tokens;
    private final int width;
    private float @Nullable [] panels;
    private @Nullable BlockedInput blocked;
    private @Nullable FloatTiles tiles;
    private @Nullable QuantizedInput quantized;
    private @Nullable InputQuantization quantizedBy;

    /**
     * @param values at least {@code tokens · width}, row-major
     */
    public LinearInput(float[] values, int tokens, int width) {
        if (tokens < 1 || values.length < (long) tokens * width) {
            throw new IllegalArgumentException(
                    "%,d values for %d tokens of %d".formatted(values.length, tokens, width));
        }
        this.values = values;
        this.tokens = tokens;
        this.width = width;
    }

    public int tokens() {
        return tokens;
    }

    public int width() {
        return width;
    }

    /** x, row-major. */
    float[] values() {
        return values;
    }

    /** x as {@code [panel, width, TOKENS]}: tokens in lanes, those past the last token 0. */
    float[] panels(Workers workers) {
        if (panels == null) {
            panels = pack(workers);
        }
        return panels;
    }

    /**
     * x rounded to 8 bits; its {@code centred} codes take x's place in a product of integers.
     *
     * @param fixed by what; by the range of each token if by nothing else
     */
    QuantizedInput quantized(Optional<InputQuantization> fixed) {
        @Nullable InputQuantization by = fixed.orElse(null);
        if (quantized == null || !Objects.equals(by, quantizedBy)) {
            quantized = fixed.isPresent()
                    ? QuantizedInput.fixed(values, tokens, width, fixed.get())
                    : QuantizedInput.dynamic(values, tokens, width);
            quantizedBy = by;
        }
        return quantized;
    }

    /** x in tiles of some tokens by some columns. */
    FloatTiles tiles(Workers workers) {
        if (tiles == null) {
            tiles = new FloatTiles(values, tokens, width, workers);
        }
        return tiles;
    }

    /** x rounded to 8 bits in blocks of 32. */
    BlockedInput blocked(Workers workers) {
        if (blocked == null) {
            blocked = new BlockedInput(values, tokens, width, workers);
        }
        return blocked;
    }

    private float[] pack(Workers workers) {
        int panelCount = Math.ceilDiv(tokens, MatrixKernel.COLUMNS);
        int panelSize = width * MatrixKernel.COLUMNS;
        float[] packed = new float[Math.multiplyExact(panelCount, panelSize)];
        workers.worth((long) tokens * width * 4).run(panelCount, panel -> {
            int first = panel * MatrixKernel.COLUMNS;
            int count = Math.min(MatrixKernel.COLUMNS, tokens - first);
            // A few columns of all tokens at a time: their cache lines stay where they are while they fill.
            for (int column = 0; column < width; column += FEW_COLUMNS) {
                int end = Math.min(width, column + FEW_COLUMNS);
                for (int token = 0; token < count; token++) {
                    int from = (first + token) * width;
                    int to = panel * panelSize + token;
                    for (int k = column; k < end; k++) {
                        packed[to + k * MatrixKernel.COLUMNS] = values[from + k];
                    }
                }
            }
        });
        return packed;
    }
}
