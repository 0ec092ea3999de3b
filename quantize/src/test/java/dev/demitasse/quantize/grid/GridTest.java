package dev.demitasse.quantize.grid;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFit;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a grid stores is what the format's codec reads back, and its scales are no worse than GGML's. */
class GridTest {
    private static List<TensorFormat> formats() {
        return TensorFormat.all().stream()
                .filter(format -> format instanceof BlockFormat)
                .toList();
    }

    @ParameterizedTest
    @MethodSource("formats")
    void packedTensorHoldsExactlyWhatWasChosen(TensorFormat format) {
        Matrix weight = gaussian(5, 256, 1);
        QuantizedMatrix rounded = RoundToNearest.quantize(weight, grid(format));
        Tensor packed = rounded.tensor("w", format);
        assertThat(packed.format()).isEqualTo(format);
        float[] read = packed.toFloats();
        for (int i = 0; i < read.length; i++) {
            assertThat(read[i]).isEqualTo((float) rounded.value(i / 256, i % 256));
        }
    }

    /** The reference encoder's scale is one of many; a search by the true error does not lose to it. */
    @ParameterizedTest
    @ValueSource(strings = {"q4_0", "q8_0"})
    void searchedScalesBeatTheReferenceEncoders(String id) {
        TensorFormat format = TensorFormat.of(id).orElseThrow();
        Matrix weight = gaussian(64, 256, 2);
        QuantizedMatrix searched = RoundToNearest.quantize(weight, grid(format));
        float[] reference =
                Tensor.ofFloats("w", weight.values(), 64, 256).to(format).toFloats();
        double searchedError = 0;
        double referenceError = 0;
        for (int i = 0; i < reference.length; i++) {
            searchedError += Math.pow(weight.values()[i] - searched.value(i / 256, i % 256), 2);
            referenceError += Math.pow(weight.values()[i] - reference[i], 2);
        }
        assertThat(searchedError).isLessThan(referenceError);
    }

    /** Codes reach −8 but not 8: the sign of the scale puts the extreme where there is room. */
    @Test
    void q40UsesTheSignOfTheScale() {
        double[] ones = new double[32];
        java.util.Arrays.fill(ones, 1);
        double[] values = new double[32];
        for (int i = 0; i < 32; i++) {
            values[i] = i % 9;
        }
        assertThat(scale(values, ones)).isEqualTo(-1);
        for (int i = 0; i < 32; i++) {
            values[i] = -values[i];
        }
        assertThat(scale(values, ones)).isEqualTo(1);
    }

    @Test
    void zerosStayZeros() {
        Matrix zeros = new Matrix(2, 32, new float[64]);
        for (Grid grid : new Grid[] {
            grid(new Q4_0()), grid(new Q8_0()), Grid.of(ScalarFormat.I8, 32).orElseThrow(), Grid.published(4, false, 32)
        }) {
            QuantizedMatrix rounded = RoundToNearest.quantize(zeros, grid);
            assertThat(rounded.value(1, 31)).isZero();
        }
    }

    /** The row's largest magnitude gets code ±127. */
    @Test
    void int8HasOneScaleForARow() {
        Matrix weight = new Matrix(2, 3, new float[] {1, -2, 0.5f, 0, 0.25f, 0.125f});
        QuantizedMatrix rounded =
                RoundToNearest.quantize(weight, Grid.of(ScalarFormat.I8, 3).orElseThrow());
        assertThat(rounded.scaleTensor("s").toFloats()).containsExactly(2f / 127, 0.25f / 127);
        assertThat(rounded.tensor("w", ScalarFormat.I8).toInts()).containsExactly(64, -127, 32, 0, 127, 64);
    }

    private static float scale(double[] values, double[] importance) {
        BlockNumbers numbers = new BlockNumbers(new Q4_0().scheme());
        new BlockFit(new Q4_0().scheme()).search(values, 0, importance, 0, numbers);
        return numbers.scale;
    }

    private static Grid grid(TensorFormat format) {
        return Grid.of(format, 256).orElseThrow();
    }

    private static Matrix gaussian(int rows, int columns, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (0.02 * random.nextGaussian());
        }
        return new Matrix(rows, columns, values);
    }
}
