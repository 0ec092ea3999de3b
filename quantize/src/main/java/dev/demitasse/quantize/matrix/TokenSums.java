package dev.demitasse.quantize.matrix;

import dev.demitasse.infer.kernel.MatrixKernel;
import java.util.Arrays;
import java.util.stream.IntStream;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Sums over tokens of products of two activations, {@code [rows, columns]}, in doubles. They lie in panels of
 * {@link TokenBatch#WIDTH} columns, row after row; of a symmetric matrix a panel ends at the diagonal, which halves memory
 * and work. Each sum is one thread's: how many there are changes no bit.
 */
final class TokenSums {
    private static final int WIDTH = TokenBatch.WIDTH;

    private static final VectorSpecies<Double> DOUBLES = DoubleVector.SPECIES_PREFERRED;

    /** As many floats as doubles. */
    private static final VectorSpecies<Float> FLOATS =
            VectorSpecies.of(float.class, VectorShape.forBitSize(DOUBLES.vectorBitSize() / 2));

    /** Rows that one thread takes at a time. */
    private static final int SHARE = 64 * MatrixKernel.ROWS;

    private final int columns;
    private final int[] panelRows;
    /** Where each panel begins in {@link #values}. */
    private final int[] starts;

    private final double[] values;

    /** @param symmetric whether only what is on and above the diagonal is wanted */
    TokenSums(int rows, int columns, boolean symmetric) {
        this.columns = columns;
        int panels = Math.ceilDiv(columns, WIDTH);
        this.panelRows = new int[panels];
        this.starts = new int[panels];
        int size = 0;
        for (int panel = 0; panel < panels; panel++) {
            int wanted = symmetric ? Math.min(rows, (panel + 1) * WIDTH) : rows;
            panelRows[panel] = Math.ceilDiv(wanted, MatrixKernel.ROWS) * MatrixKernel.ROWS;
            starts[panel] = size;
            size = Math.addExact(size, Math.multiplyExact(panelRows[panel], WIDTH));
        }
        this.values = new double[size];
    }

    /** Adds the products of the tokens that both sides hold. */
    void add(TokenBatch left, TokenBatch right) {
        int shares = Math.ceilDiv(Arrays.stream(panelRows).max().orElse(0), SHARE);
        IntStream.range(0, panelRows.length * shares).parallel().forEach(task -> {
            int panel = task / shares;
            int first = task % shares * SHARE;
            int end = Math.min(panelRows[panel], first + SHARE);
            float[] block = new float[MatrixKernel.BLOCK];
            for (int row = first; row < end; row += MatrixKernel.ROWS) {
                Arrays.fill(block, 0);
                MatrixKernel.add(
                        right.panels(),
                        panel * TokenBatch.TOKENS * WIDTH,
                        Math.min(WIDTH, columns - panel * WIDTH),
                        left.columns(),
                        row * TokenBatch.TOKENS,
                        TokenBatch.TOKENS,
                        right.tokens(),
                        1,
                        block,
                        0,
                        WIDTH);
                add(block, starts[panel] + row * WIDTH);
            }
        });
    }

    private void add(float[] block, int at) {
        for (int i = 0; i < MatrixKernel.BLOCK; i += DOUBLES.length()) {
            ((DoubleVector) FloatVector.fromArray(FLOATS, block, i).convertShape(VectorOperators.F2D, DOUBLES, 0))
                    .add(DoubleVector.fromArray(DOUBLES, values, at + i))
                    .intoArray(values, at + i);
        }
    }

    /** Of a symmetric matrix, {@code row <= column}. */
    double at(int row, int column) {
        return values[starts[column / WIDTH] + row * WIDTH + column % WIDTH];
    }
}
