package dev.demitasse.infer.packed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.infer.parallel.WorkerPool;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.IQ4_NL;
import dev.demitasse.model.format.Q2_K;
import dev.demitasse.model.format.Q3_K;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q4_K;
import dev.demitasse.model.format.Q5_1;
import dev.demitasse.model.format.Q6_K;
import dev.demitasse.model.format.Q8_0;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole products, by all kernels, on rows and tokens that fill no group, panel or tile. */
class PackedProductTest {
    private static final int[] ROWS = {1, 16, 50, 131};
    private static final int[] TOKENS = {1, 3, 5, 6, 12, 25};

    static Stream<BlockFormat> formats() {
        return Stream.of(
                new Q8_0(), new Q4_0(), new Q5_1(), new Q2_K(), new Q3_K(), new Q4_K(), new Q6_K(), new IQ4_NL());
    }

    @ParameterizedTest
    @MethodSource("formats")
    void productsAreThoseOfTheDecodedWeights(BlockFormat format) {
        for (int rows : ROWS) {
            int columns = 512 + format.blockSize();
            SplittableRandom random = new SplittableRandom(rows);
            Tensor weight = Tensor.ofFloats("w", gaussian(random, rows * columns), rows, columns)
                    .to(format);
            for (int tokens : TOKENS) {
                float[] x = gaussian(random, tokens * columns);
                double[] expected = new double[tokens * rows];
                double[] sizes = new double[tokens * rows];
                multiply(weight, x, expected, sizes);
                for (Kernels kernels : new Kernels[] {Kernels.AUTO, Kernels.VECTOR, Kernels.SCALAR}) {
                    float[] y = multiply(weight, kernels, x, tokens, Workers.CALLER);
                    for (int i = 0; i < y.length; i++) {
                        // Inputs are rounded to 1/254 of the largest of 32; sums of 500 such errors stay far under
                        // that.
                        assertThat((double) y[i])
                                .as("%s %s", format.id(), kernels)
                                .isCloseTo(expected[i], within(0.004 * sizes[i]));
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void neitherThreadsNorOtherTokensChangeAResult(BlockFormat format) {
        int rows = 1100;
        int columns = 512;
        SplittableRandom random = new SplittableRandom(7);
        Tensor weight = Tensor.allocate("w", format, rows, columns);
        float[] row = gaussian(random, columns);
        for (int i = 0; i < rows; i++) {
            row[i % columns] += 0.1f;
            weight.writeRow(i, row, 0);
        }
        float[] x = gaussian(random, 30 * columns);
        try (WorkerPool pool = new WorkerPool(3)) {
            for (Kernels kernels : new Kernels[] {Kernels.AUTO, Kernels.VECTOR}) {
                float[] all = multiply(weight, kernels, x, 30, Workers.CALLER);
                assertThat(multiply(weight, kernels, x, 30, pool)).isEqualTo(all);
                float[] first = multiply(weight, kernels, x, 13, pool);
                assertThat(first).isEqualTo(java.util.Arrays.copyOf(all, first.length));
            }
        }
    }

    private static float[] multiply(Tensor weight, Kernels kernels, float[] x, int tokens, Workers workers) {
        float[] y = new float[tokens * weight.rows()];
        try (Arena arena = Arena.ofShared()) {
            PackedProduct product =
                    PackedProduct.of(weight, kernels, arena, workers).orElseThrow();
            if (product.takesFloats(tokens)) {
                product.multiply(new FloatTiles(x, tokens, weight.columns(), workers), y, workers);
            } else {
                product.multiply(new BlockedInput(x, tokens, weight.columns(), workers), y, workers);
            }
        }
        return y;
    }

    private static void multiply(Tensor weight, float[] x, double[] sums, double[] sizes) {
        int columns = weight.columns();
        float[] row = new float[columns];
        for (int r = 0; r < weight.rows(); r++) {
            weight.readRow(r, row, 0);
            for (int token = 0; token < x.length / columns; token++) {
                for (int column = 0; column < columns; column++) {
                    double product = (double) row[column] * x[token * columns + column];
                    sums[token * weight.rows() + r] += product;
                    sizes[token * weight.rows() + r] += Math.abs(product);
                }
            }
        }
    }

    private static float[] gaussian(SplittableRandom random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
