package dev.demitasse.infer.rows;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.demitasse.infer.kernel.Lanes;
import dev.demitasse.infer.machine.CpuFeatures;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.infer.parallel.WorkerPool;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Rows of floats times a few tokens, by all kernels, on rows, columns and tokens that fill nothing evenly. */
class RowProductTest {
    private static final Kernels[] KERNELS = {Kernels.AUTO, Kernels.VECTOR, Kernels.SCALAR};
    private static final int[] TOKENS = {1, 2, 3, 6, 7, 12};

    private static ScalarFormat format(FloatFormat format) {
        return ScalarFormat.valueOf(format.name());
    }

    @ParameterizedTest
    @EnumSource(FloatFormat.class)
    void productsAreThoseOfTheDecodedWeights(FloatFormat format) {
        for (int rows : new int[] {1, 4, 7, 130}) {
            for (int columns : new int[] {1, 15, 64, 515, 9001}) {
                SplittableRandom random = new SplittableRandom(rows + columns);
                Tensor weight = weight(random, format, rows, columns);
                float[] decoded = weight.toFloats();
                for (int tokens : TOKENS) {
                    float[] x = gaussian(random, tokens * columns, 1);
                    for (Kernels kernels : KERNELS) {
                        float[] y = multiply(weight, kernels, x, tokens, Workers.CALLER);
                        assertThat(worst(decoded, x, y, rows, columns))
                                .as("%s, %d tokens, [%d, %d]", kernels, tokens, rows, columns)
                                .isLessThan(1e-6);
                    }
                }
            }
        }
    }

    /** Four float16 below the smallest normal one; inputs so large that a product with what rebases exponents overflows. */
    @Test
    void subnormalWeightsAndHugeInputsAreExact() {
        int columns = 4 * Lanes.COUNT + 3;
        float[] values = new float[columns];
        float[] x = new float[columns];
        for (int i = 0; i < columns; i++) {
            values[i] = 0x1p-24f * (i % 5 + 1);
            x[i] = 0x1p20f * (i % 3 - 1);
        }
        Tensor weight = Tensor.ofFloats("w", values, 1, columns).to(ScalarFormat.F16);
        double sum = 0;
        for (int i = 0; i < columns; i++) {
            sum += (double) values[i] * x[i];
        }
        for (Kernels kernels : KERNELS) {
            assertThat(multiply(weight, kernels, x, 1, Workers.CALLER)).containsExactly((float) sum);
        }
    }

    /** An infinite weight makes its row's result infinite, a NaN one NaN, and other rows' nothing. */
    @ParameterizedTest
    @EnumSource(FloatFormat.class)
    void whatIsNoFiniteNumberStaysNone(FloatFormat format) {
        SplittableRandom random = new SplittableRandom(3);
        int columns = 200;
        float[] values = gaussian(random, 9 * columns, 1);
        values[2 * columns + 130] = Float.NEGATIVE_INFINITY;
        values[8 * columns + 199] = Float.NaN;
        Tensor weight = Tensor.ofFloats("w", values, 9, columns).to(format(format));
        float[] ones = new float[columns];
        Arrays.fill(ones, 1);
        for (Kernels kernels : KERNELS) {
            float[] y = multiply(weight, kernels, ones, 1, Workers.CALLER);
            for (int row = 0; row < 9; row++) {
                if (row == 2) {
                    assertThat(y[row]).as("%s", kernels).isEqualTo(Float.NEGATIVE_INFINITY);
                } else if (row == 8) {
                    assertThat(y[row]).as("%s", kernels).isNaN();
                } else {
                    assertThat(y[row]).as("%s", kernels).isFinite();
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(FloatFormat.class)
    void neitherThreadsNorOtherTokensChangeAResult(FloatFormat format) {
        SplittableRandom random = new SplittableRandom(7);
        int rows = 1103;
        int columns = 515;
        Tensor weight = weight(random, format, rows, columns);
        float[] x = gaussian(random, 12 * columns, 1);
        try (WorkerPool pool = new WorkerPool(3)) {
            for (Kernels kernels : KERNELS) {
                float[] all = multiply(weight, kernels, x, 12, Workers.CALLER);
                assertThat(Arrays.equals(multiply(weight, kernels, x, 12, pool), all))
                        .isTrue();
                for (int tokens : TOKENS) {
                    float[] first = multiply(weight, kernels, x, tokens, pool);
                    assertThat(Arrays.equals(first, Arrays.copyOf(all, first.length)))
                            .isTrue();
                }
            }
        }
    }

    /** Vectors of as many lanes as plain Java is told: then even the rounding is the same. */
    @ParameterizedTest
    @EnumSource(FloatFormat.class)
    void vectorsAgreeWithPlainJavaToTheLastBit(FloatFormat format) {
        SplittableRandom random = new SplittableRandom(9);
        Tensor weight = weight(random, format, 131, 515);
        float[] x = gaussian(random, 5 * 515, 1);
        float[] plain = multiply(weight, Kernels.SCALAR, x, 5, Workers.CALLER);
        assertThat(Arrays.equals(multiply(weight, Kernels.VECTOR, x, 5, Workers.CALLER), plain))
                .isTrue();
        if (Lanes.COUNT == RowCode.LANES) {
            assertThat(Arrays.equals(multiply(weight, Kernels.AUTO, x, 5, Workers.CALLER), plain))
                    .isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource(FloatFormat.class)
    void machineCodePassesItsCheckWhereTheCpuRunsIt(FloatFormat format) {
        assumeTrue(CpuFeatures.detect().avx512(), "no AVX-512 on this machine");
        assertThat(EmittedRowKernel.of(format)).isPresent();
    }

    @Test
    void theCheckFindsADifference() {
        RowKernel halves = new ScalarRowKernel(FloatFormat.F16, 16);
        assertThat(RowKernelCheck.agree(new FewTokens(halves), halves, FloatFormat.F16))
                .isTrue();
        RowKernel others = new ScalarRowKernel(FloatFormat.BF16, 16);
        assertThat(RowKernelCheck.agree(new FewTokens(halves), others, FloatFormat.F16))
                .isFalse();
    }

    /** A kernel that takes three tokens at once. */
    private record FewTokens(RowKernel kernel) implements RowKernel {
        @Override
        public int lanes() {
            return kernel.lanes();
        }

        @Override
        public int tokens() {
            return 3;
        }

        @Override
        public int fewTokens() {
            return kernel.fewTokens();
        }

        @Override
        public int weightExponent() {
            return kernel.weightExponent();
        }

        @Override
        public boolean takesAll() {
            return kernel.takesAll();
        }

        @Override
        public void multiply(RowStreams rows, Inputs inputs, float[] sums) {
            kernel.multiply(rows, inputs, sums);
        }
    }

    /** In memory outside the heap for some sizes, on it for others. */
    private static Tensor weight(SplittableRandom random, FloatFormat format, int rows, int columns) {
        Tensor weight = Tensor.ofFloats("w", gaussian(random, rows * columns, 0.01), rows, columns)
                .to(format(format));
        if (columns % 2 == 0) {
            return weight;
        }
        MemorySegment copy = Arena.ofAuto().allocate(weight.data().byteSize());
        copy.copyFrom(weight.data());
        assertThat(copy.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo(weight.data().get(ValueLayout.JAVA_BYTE, 0));
        return new Tensor("w", format(format), new long[] {rows, columns}, copy);
    }

    private static float[] multiply(Tensor weight, Kernels kernels, float[] x, int tokens, Workers workers) {
        float[] y = new float[tokens * weight.rows()];
        RowProduct.of(weight, kernels).orElseThrow().multiply(x, tokens, y, (sum, row) -> sum, workers);
        return y;
    }

    /** The largest error, as a part of the sum of magnitudes. */
    private static double worst(float[] weights, float[] x, float[] y, int rows, int columns) {
        double worst = 0;
        for (int i = 0; i < y.length; i++) {
            double sum = 0;
            double size = 0;
            for (int column = 0; column < columns; column++) {
                double product = (double) weights[i % rows * columns + column] * x[i / rows * columns + column];
                sum += product;
                size += Math.abs(product);
            }
            worst = Math.max(worst, Math.abs(y[i] - sum) / size);
        }
        return worst;
    }

    private static float[] gaussian(SplittableRandom random, int count, double deviation) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (deviation * random.nextGaussian());
        }
        return values;
    }
}
