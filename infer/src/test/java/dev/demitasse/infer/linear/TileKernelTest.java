package dev.demitasse.infer.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.demitasse.infer.kernel.Lanes;
import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.machine.CpuFeatures;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Tiles of floats by machine code: the Vector API's bits. */
class TileKernelTest {
    @BeforeEach
    void needsTheInstructions() {
        assumeTrue(CpuFeatures.detect().avx512() && Lanes.COUNT == TileCode.LANES, "no AVX-512 on this machine");
    }

    @Test
    void machineCodePassesItsCheck() {
        assertThat(EmittedTileKernel.instance()).isPresent();
    }

    @Test
    void blocksAreThoseOfTheVectorApi() {
        Random random = new Random(11);
        int groups = 3;
        for (int depth : new int[] {1, 16, 511, 512}) {
            float[] panels = gaussian(random, 2 * depth * MatrixKernel.COLUMNS);
            float[] weights = gaussian(random, groups * MatrixKernel.ROWS * depth);
            for (int columns : new int[] {1, 17, 33, 64}) {
                float[] expected = gaussian(random, (groups + 1) * MatrixKernel.BLOCK);
                float[] found = expected.clone();
                int panelAt = depth * MatrixKernel.COLUMNS;
                new TileKernel.Vector()
                        .add(panels, panelAt, columns, weights, groups, depth, expected, MatrixKernel.BLOCK);
                EmittedTileKernel.instance()
                        .orElseThrow()
                        .add(panels, panelAt, columns, weights, groups, depth, found, MatrixKernel.BLOCK);
                for (int i = 0; i < found.length; i++) {
                    if (i % MatrixKernel.COLUMNS < columns) {
                        assertThat(found[i]).isEqualTo(expected[i]);
                    }
                }
            }
        }
    }

    @Test
    void whichKernelsAreAskedForChangesNothing() {
        Random random = new Random(12);
        for (ScalarFormat format : new ScalarFormat[] {ScalarFormat.F32, ScalarFormat.F16, ScalarFormat.BF16}) {
            Tensor weight =
                    Tensor.ofFloats("w", gaussian(random, 70 * 1030), 70, 1030).to(format);
            Tensor bias = Tensor.ofFloats("b", gaussian(random, 70), 70);
            float[] x = gaussian(random, 90 * 1030);
            assertThat(Arrays.equals(
                            multiply(weight, bias, x, 90, Kernels.AUTO), multiply(weight, bias, x, 90, Kernels.VECTOR)))
                    .isTrue();
        }
    }

    private static float[] multiply(Tensor weight, Tensor bias, float[] x, int tokens, Kernels kernels) {
        return FloatLinear.of(weight, Optional.empty(), Optional.of(bias), kernels)
                .multiply(new LinearInput(x, tokens, weight.columns()), Workers.COMMON);
    }

    private static float[] gaussian(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (0.1 * random.nextGaussian());
        }
        return values;
    }
}
