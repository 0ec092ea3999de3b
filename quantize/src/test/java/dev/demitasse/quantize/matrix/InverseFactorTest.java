package dev.demitasse.quantize.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the factor is by definition; sizes around the widths of panels and blocks. */
class InverseFactorTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 7, 63, 64, 65, 130, 200})
    void timesTheDampedMomentIsTheIdentity(int width) {
        SecondMoment moment = moment(width, 3 * width + 5, 1);
        int[] order = IntStream.range(0, width).map(i -> width - 1 - i).toArray();
        InverseFactor factor = InverseFactor.of(moment, order, 0.01);
        double added = 0.01 * moment.meanDiagonal();
        double[] upper = upper(factor);
        double[] inverse = new double[width * width];
        double[] transposed = new double[width * width];
        for (int i = 0; i < width; i++) {
            for (int j = 0; j < width; j++) {
                transposed[j * width + i] = upper[i * width + j];
                if (j < i) {
                    assertThat(upper[i * width + j]).isZero();
                }
            }
        }
        DoubleProduct.add(
                View.of(inverse, width, width), 1, View.of(transposed, width, width), View.of(upper, width, width));
        double[] damped = new double[width * width];
        for (int i = 0; i < width * width; i++) {
            damped[i] = moment.at(order[i / width], order[i % width]) + (i / width == i % width ? added : 0);
        }
        double[] identity = new double[width * width];
        DoubleProduct.add(
                View.of(identity, width, width), 1, View.of(inverse, width, width), View.of(damped, width, width));
        for (int i = 0; i < width * width; i++) {
            // U is handed out in floats.
            assertThat(identity[i]).isCloseTo(i / width == i % width ? 1 : 0, within(1e-5));
        }
        assertThat(factor.damping()).isEqualTo(0.01);
    }

    /** L⁻¹ H L⁻ᵀ = 1 to the precision of doubles, whatever stands above the diagonal at first. */
    @ParameterizedTest
    @ValueSource(ints = {1, 95, 96, 97, 200, 333})
    void theTriangleAndItsInverseAreExact(int width) {
        SecondMoment moment = moment(width, 3 * width + 5, 8);
        double[] triangle = new double[width * width];
        double[] whole = new double[width * width];
        for (int i = 0; i < width; i++) {
            for (int j = 0; j < width; j++) {
                whole[i * width + j] = moment.at(i, j);
                triangle[i * width + j] = j <= i ? moment.at(i, j) : Double.NaN;
            }
        }
        assertThat(Cholesky.factor(triangle, width)).isTrue();
        Cholesky.invert(triangle, width);
        double[] transposed = new double[width * width];
        for (int i = 0; i < width * width; i++) {
            transposed[i % width * width + i / width] = triangle[i];
        }
        double[] half = new double[width * width];
        DoubleProduct.add(
                View.of(half, width, width), 1, View.of(triangle, width, width), View.of(whole, width, width));
        double[] identity = new double[width * width];
        DoubleProduct.add(
                View.of(identity, width, width), 1, View.of(half, width, width), View.of(transposed, width, width));
        double worst = 0;
        for (int i = 0; i < width * width; i++) {
            worst = Math.max(worst, Math.abs(identity[i] - (i / width == i % width ? 1 : 0)));
        }
        assertThat(worst).isLessThan(1e-10);
    }

    /** Three tokens span at most three directions of 40: without damping there is no inverse. */
    @Test
    void raisesTheDampingUntilThereIsAnInverse() {
        InverseFactor factor =
                InverseFactor.of(moment(40, 3, 2), IntStream.range(0, 40).toArray(), 0);
        assertThat(factor.damping()).isBetween(1e-5, 1e-1);
        assertThat(Arrays.stream(upper(factor)).allMatch(Double::isFinite)).isTrue();
    }

    @Test
    void saysWhenActivationsAreNotNumbers() {
        Hessian hessian = new Hessian(4);
        hessian.add(new float[] {1, 2, Float.NaN, 4}, 1);
        SecondMoment moment = hessian.moment();
        assertThatThrownBy(() -> InverseFactor.of(moment, new int[] {0, 1, 2, 3}, 0.01))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("finite");
    }

    /** In one call or in many, the sum is the same. */
    @Test
    void momentsAddUpOverBatches() {
        int width = 37;
        int tokens = 301;
        float[] input = input(width, tokens, 3);
        Hessian whole = new Hessian(width);
        whole.add(input, tokens);
        Hessian parts = new Hessian(width);
        parts.add(Arrays.copyOfRange(input, 0, 50 * width), 50);
        parts.add(Arrays.copyOfRange(input, 50 * width, tokens * width), tokens - 50);
        assertThat(parts.tokens()).isEqualTo(tokens);
        for (int i = 0; i < width; i++) {
            for (int j = 0; j < width; j++) {
                double expected = 0;
                for (int token = 0; token < tokens; token++) {
                    expected += (double) input[token * width + i] * input[token * width + j];
                }
                assertThat(whole.moment().at(i, j)).isCloseTo(expected * 2 / tokens, within(1e-5));
                assertThat(parts.moment().at(i, j)).isCloseTo(expected * 2 / tokens, within(1e-5));
            }
        }
    }

    /** Of two inputs of different widths, in batches that end anywhere; also packed for products. */
    @Test
    void crossMomentsAddUpOverBatches() {
        int left = 37;
        int right = 131;
        int tokens = 1100;
        float[] y = input(left, tokens, 4);
        float[] x = input(right, tokens, 5);
        CrossMoment moment = new CrossMoment(left, right);
        moment.add(y, x, 600);
        moment.add(
                Arrays.copyOfRange(y, 600 * left, y.length),
                Arrays.copyOfRange(x, 600 * right, x.length),
                tokens - 600);
        FloatPanels panels = moment.panels();
        Matrix matrix = moment.matrix();
        double worst = 0;
        for (int i = 0; i < left; i++) {
            for (int j = 0; j < right; j++) {
                double expected = 0;
                for (int token = 0; token < tokens; token++) {
                    expected += (double) y[token * left + i] * x[token * right + j];
                }
                worst = Math.max(worst, Math.abs(expected * 2 / tokens - panels.at(i, j)));
                worst = Math.max(worst, Math.abs(expected * 2 / tokens - matrix.at(i, j)));
            }
        }
        assertThat(worst).isLessThan(1e-5);
    }

    /** What is packed for products is the matrix, in floats. */
    @Test
    void packsMomentsAndFactors() {
        int width = 150;
        SecondMoment moment = moment(width, 400, 6);
        FloatPanels panels = moment.panels();
        InverseFactor factor =
                InverseFactor.of(moment, IntStream.range(0, width).toArray(), 0.01);
        FloatPanels upper = factor.panels();
        FloatPanels lower = upper.transposed();
        for (int i = 0; i < width; i++) {
            for (int j = 0; j < width; j++) {
                assertThat(panels.at(i, j)).isEqualTo((float) moment.at(i, j)).isEqualTo(panels.at(j, i));
                assertThat(lower.at(j, i)).isEqualTo(upper.at(i, j));
            }
        }
    }

    private static double[] upper(InverseFactor factor) {
        int width = factor.width();
        double[] upper = new double[width * width];
        for (int i = 0; i < width * width; i++) {
            upper[i] = factor.panels().at(i / width, i % width);
        }
        return upper;
    }

    private static SecondMoment moment(int width, int tokens, long seed) {
        Hessian hessian = new Hessian(width);
        hessian.add(input(width, tokens, seed), tokens);
        return hessian.moment();
    }

    private static float[] input(int width, int tokens, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] input = new float[width * tokens];
        for (int i = 0; i < input.length; i++) {
            input[i] = (float) random.nextGaussian();
        }
        return input;
    }
}
