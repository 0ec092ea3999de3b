package dev.demitasse.quantize.matrix;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * A batch of activations {@code [tokens, width]} repacked into panels of a few columns, so that products over tokens read
 * memory in order: panel p holds columns {@code [p · COLUMNS, (p + 1) · COLUMNS)} of every token, zero past the width.
 */
final class TokenPanels {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();

    /** Columns of a panel; a multiple of {@link #ROWS}. */
    static final int COLUMNS = 2 * LANES;

    /** Columns of the left panel in one call of {@link #multiply}. */
    static final int ROWS = 4;

    /**
     * Tokens of a batch: within it sums are kept in float, from batch to batch in double, so that the relative error of a
     * sum stays near 128 · 2⁻²⁴ however many tokens there are.
     */
    static final int TOKENS = 128;

    private final int width;
    private final int panels;
    private final float[] values;
    private int tokens;

    TokenPanels(int width) {
        this.width = width;
        this.panels = Math.ceilDiv(width, COLUMNS);
        this.values = new float[Math.multiplyExact(panels * COLUMNS, TOKENS)];
    }

    int panels() {
        return panels;
    }

    int tokens() {
        return tokens;
    }

    /** Takes {@code tokens} rows of {@code input} from row {@code first}. */
    void load(float[] input, int first, int tokens) {
        this.tokens = tokens;
        for (int panel = 0; panel < panels; panel++) {
            int columns = Math.min(COLUMNS, width - panel * COLUMNS);
            for (int token = 0; token < tokens; token++) {
                System.arraycopy(
                        input,
                        (first + token) * width + panel * COLUMNS,
                        values,
                        (panel * TOKENS + token) * COLUMNS,
                        columns);
            }
        }
    }

    /** sums {@code [ROWS, COLUMNS]} = Σ over tokens of left's columns {@code row …} of a panel times right's panel. */
    static void multiply(TokenPanels left, int leftPanel, int row, TokenPanels right, int rightPanel, float[] sums) {
        float[] rows = left.values;
        float[] columns = right.values;
        FloatVector zero = FloatVector.zero(SPECIES);
        FloatVector sum00 = zero;
        FloatVector sum01 = zero;
        FloatVector sum10 = zero;
        FloatVector sum11 = zero;
        FloatVector sum20 = zero;
        FloatVector sum21 = zero;
        FloatVector sum30 = zero;
        FloatVector sum31 = zero;
        int leftAt = leftPanel * TOKENS * COLUMNS + row;
        int rightAt = rightPanel * TOKENS * COLUMNS;
        for (int token = 0; token < left.tokens; token++) {
            int at = leftAt + token * COLUMNS;
            FloatVector right0 = FloatVector.fromArray(SPECIES, columns, rightAt + token * COLUMNS);
            FloatVector right1 = FloatVector.fromArray(SPECIES, columns, rightAt + token * COLUMNS + LANES);
            FloatVector left0 = FloatVector.broadcast(SPECIES, rows[at]);
            sum00 = left0.fma(right0, sum00);
            sum01 = left0.fma(right1, sum01);
            FloatVector left1 = FloatVector.broadcast(SPECIES, rows[at + 1]);
            sum10 = left1.fma(right0, sum10);
            sum11 = left1.fma(right1, sum11);
            FloatVector left2 = FloatVector.broadcast(SPECIES, rows[at + 2]);
            sum20 = left2.fma(right0, sum20);
            sum21 = left2.fma(right1, sum21);
            FloatVector left3 = FloatVector.broadcast(SPECIES, rows[at + 3]);
            sum30 = left3.fma(right0, sum30);
            sum31 = left3.fma(right1, sum31);
        }
        sum00.intoArray(sums, 0);
        sum01.intoArray(sums, LANES);
        sum10.intoArray(sums, COLUMNS);
        sum11.intoArray(sums, COLUMNS + LANES);
        sum20.intoArray(sums, 2 * COLUMNS);
        sum21.intoArray(sums, 2 * COLUMNS + LANES);
        sum30.intoArray(sums, 3 * COLUMNS);
        sum31.intoArray(sums, 3 * COLUMNS + LANES);
    }

    /**
     * total {@code [left width, right width]} += leftᵀ · right, its tiles in parallel.
     *
     * @param upper whether only panels on and right of the diagonal matter
     */
    static void addProduct(double[] total, TokenPanels left, TokenPanels right, boolean upper) {
        java.util.stream.IntStream.range(0, left.panels).parallel().forEach(panel -> {
            float[] sums = new float[ROWS * COLUMNS];
            for (int other = upper ? panel : 0; other < right.panels; other++) {
                int columns = Math.min(COLUMNS, right.width - other * COLUMNS);
                for (int row = 0; row < COLUMNS && panel * COLUMNS + row < left.width; row += ROWS) {
                    multiply(left, panel, row, right, other, sums);
                    int rows = Math.min(ROWS, left.width - panel * COLUMNS - row);
                    for (int i = 0; i < rows; i++) {
                        int at = (panel * COLUMNS + row + i) * right.width + other * COLUMNS;
                        for (int j = 0; j < columns; j++) {
                            total[at + j] += sums[i * COLUMNS + j];
                        }
                    }
                }
            }
        });
    }
}
