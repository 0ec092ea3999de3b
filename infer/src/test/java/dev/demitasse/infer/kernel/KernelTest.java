package dev.demitasse.infer.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import jdk.incubator.vector.FloatVector;
import org.apache.commons.math3.special.Erf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Kernels against plain scalar code. The build runs this at 256 and 128 bits too (infer/pom.xml). */
class KernelTest {
    @Test
    void vectorsAreNoWiderThanTheRunAsksFor() {
        assertThat(Lanes.FLOAT.vectorBitSize()).isLessThanOrEqualTo(Integer.getInteger("vector.bits.limit", 512));
    }

    static Stream<TensorFormat> formats() {
        return TensorFormat.all().stream();
    }

    /** The vector decoders give the very bits of the format's own decoder, whatever the bytes. */
    @ParameterizedTest
    @MethodSource("formats")
    void decodesAnyBytesAsTheFormatDoes(TensorFormat format) {
        int columns =
                3 * 32 * (format.blockSize() == 1 ? 1 : format.blockSize() / 32) + (format.blockSize() == 1 ? 11 : 0);
        byte[] bytes = new byte[(int) format.bytes(5L * columns)];
        new Random(1).nextBytes(bytes);
        Tensor tensor = new Tensor("w", format, new long[] {5, columns}, MemorySegment.ofArray(bytes));
        float[] expected = tensor.toFloats();
        for (int column : new int[] {0, format.blockSize()}) {
            float[] actual = new float[columns + 2];
            RowDecoder.decode(tensor, 3, column, columns - column, actual, 2);
            for (int i = column; i < columns; i++) {
                assertThat(Float.floatToIntBits(actual[2 + i - column]))
                        .as("element %d", i)
                        .isEqualTo(Float.floatToIntBits(expected[3 * columns + i]));
            }
        }
    }

    /** Every float16 there is. */
    @Test
    void decodesEveryFloat16() {
        byte[] bytes = new byte[2 << 16];
        for (int i = 0; i < 1 << 16; i++) {
            bytes[2 * i] = (byte) i;
            bytes[2 * i + 1] = (byte) (i >> 8);
        }
        Tensor tensor = new Tensor("w", ScalarFormat.F16, new long[] {1, 1 << 16}, MemorySegment.ofArray(bytes));
        float[] values = new float[1 << 16];
        RowDecoder.decode(tensor, 0, 0, values.length, values, 0);
        float[] expected = new float[values.length];
        for (int i = 0; i < expected.length; i++) {
            expected[i] = Float.float16ToFloat((short) i);
        }
        assertThat(values).isEqualTo(expected);
    }

    @Test
    void exponentialIsWithinTwoUnitsInTheLastPlace() {
        float[] buffer = new float[Lanes.COUNT];
        for (float x = -87.3f; x < 88f; x += 0.0173f) {
            Exponential.of(FloatVector.broadcast(Lanes.FLOAT, x)).intoArray(buffer, 0);
            double exact = Math.exp(x);
            assertThat((double) buffer[0]).isCloseTo(exact, within(2.0 * Math.ulp((float) exact)));
        }
        Exponential.of(FloatVector.broadcast(Lanes.FLOAT, Float.NEGATIVE_INFINITY))
                .intoArray(buffer, 0);
        assertThat(buffer).containsOnly(0f);
        Exponential.of(FloatVector.zero(Lanes.FLOAT)).intoArray(buffer, 0);
        assertThat(buffer).containsOnly(1f);
    }

    @Test
    void softmaxSumsToOneAndClearsThePadding() {
        Random random = new Random(2);
        for (int count = 1; count < 70; count++) {
            float[] scores = new float[Elementwise.padded(count)];
            double total = 0;
            double[] expected = new double[count];
            for (int i = 0; i < scores.length; i++) {
                scores[i] = (float) random.nextGaussian() * 5;
                if (i < count) {
                    expected[i] = Math.exp(scores[i]);
                    total += expected[i];
                }
            }
            Elementwise.softmax(scores, count);
            for (int i = 0; i < scores.length; i++) {
                assertThat((double) scores[i]).isCloseTo(i < count ? expected[i] / total : 0, within(1e-6));
            }
        }
    }

    @Test
    void dotProductsAndNormsOfOddLengths() {
        Random random = new Random(4);
        for (int count = 1; count < 140; count++) {
            float[] a = new float[count + 3];
            float[] b = new float[count + 5];
            double dot = 0;
            double squares = 0;
            for (int i = 0; i < count; i++) {
                a[3 + i] = (float) random.nextGaussian();
                b[5 + i] = (float) random.nextGaussian();
                dot += (double) a[3 + i] * b[5 + i];
                squares += (double) a[3 + i] * a[3 + i];
            }
            assertThat((double) DotProduct.of(a, 3, b, 5, count)).isCloseTo(dot, within(1e-4));
            MemorySegment data = MemorySegment.ofArray(a);
            assertThat((double) DotProduct.of(data, 12, b, 5, count)).isCloseTo(dot, within(1e-4));
            float[] ones = new float[count];
            java.util.Arrays.fill(ones, 2f);
            float[] normed = new float[a.length];
            Elementwise.rmsNorm(a, 3, count, ones, 0, 1e-5, normed);
            for (int i = 0; i < count; i++) {
                double expected = 2 * a[3 + i] / Math.sqrt(squares / count + 1e-5);
                assertThat((double) normed[3 + i]).isCloseTo(expected, within(1e-5));
            }
        }
    }

    @Test
    void siluOfOddLengths() {
        for (int count = 1; count < 40; count++) {
            float[] gate = new float[count + 1];
            float[] up = new float[count + 1];
            for (int i = 1; i <= count; i++) {
                gate[i] = i % 2 == 0 ? i * 3 : -i * 3;
                up[i] = 0.5f;
            }
            float[] result = gate.clone();
            Activations.applyGated(Activation.SILU, result, up, 1, count);
            for (int i = 1; i <= count; i++) {
                assertThat((double) result[i]).isCloseTo(gate[i] / (1 + Math.exp(-gate[i])) * 0.5, within(1e-5));
            }
        }
    }

    /** Sums in order, of every number of rows, columns in whole vectors. */
    @Test
    void attentionProductsAddToTheirTarget() {
        Random random = new Random(5);
        for (int rows = 1; rows <= 9; rows++) {
            for (int vectors : new int[] {1, 2, 3, 4, 5, 7, 8}) {
                int columns = vectors * Lanes.COUNT;
                int depth = 1 + random.nextInt(70);
                int stride = columns + 3;
                float[] left = random(random, rows * (depth + 1));
                float[] right = random(random, 2 + depth * stride);
                float[] target = random(random, rows * stride);
                float[] expected = target.clone();
                for (int row = 0; row < rows; row++) {
                    for (int column = 0; column < columns; column++) {
                        for (int k = 0; k < depth; k++) {
                            expected[row * stride + column] = Math.fma(
                                    left[row * (depth + 1) + k],
                                    right[2 + k * stride + column],
                                    expected[row * stride + column]);
                        }
                    }
                }
                AttentionKernel.multiply(left, depth + 1, rows, right, 2, stride, depth, columns, target, stride);
                assertThat(Arrays.equals(target, expected)).isTrue();
            }
        }
    }

    /** Block by block the weights of a softmax, whichever block has the largest score. */
    @Test
    void scoresAreWeighedBlockByBlock() {
        Random random = new Random(6);
        int count = 4 * Lanes.COUNT;
        for (int largestIn = 0; largestIn < 3; largestIn++) {
            float[] scores = random(random, 3 * count);
            scores[largestIn * count + 5] = 9;
            scores[count + 1] = Float.NEGATIVE_INFINITY;
            double sum = 0;
            for (float score : scores) {
                sum += Math.exp(score - 9);
            }
            float[] weights = scores.clone();
            float[] sums = new float[Lanes.COUNT + 1];
            float[] output = new float[Lanes.COUNT + 2];
            float largest = AttentionKernel.NO_SCORE;
            for (int block = 0; block < 3; block++) {
                float before = largest;
                largest =
                        AttentionKernel.weigh(weights, block * count, count, largest, sums, 1, output, 2, Lanes.COUNT);
                assertThat(largest).isGreaterThanOrEqualTo(before);
                for (int i = 2; i < output.length; i++) {
                    output[i] += weights[block * count];
                }
            }
            assertThat(largest).isEqualTo(9);
            double gathered = 0;
            double first = 0;
            for (int i = 1; i < sums.length; i++) {
                gathered += sums[i];
            }
            for (int block = 0; block < 3; block++) {
                first += Math.exp(scores[block * count] - 9);
            }
            assertThat(gathered).isCloseTo(sum, within(1e-5 * sum));
            assertThat((double) output[2]).isCloseTo(first, within(1e-5));
        }
    }

    /** Every activation from −12 to 12, plain and gated, of every length that leaves a rest; far outside, its limits. */
    @ParameterizedTest
    @EnumSource(Activation.class)
    void activationsAreWithinAMillionth(Activation activation) {
        for (int count : new int[] {1, 3, 15, 16, 17, 33, 2401}) {
            float[] x = new float[count + 1];
            float[] up = new float[count + 1];
            for (int i = 1; i <= count; i++) {
                x[i] = -12 + 24f * i / count;
                up[i] = 0.25f * (i % 5);
            }
            float[] plain = x.clone();
            Activations.apply(activation, plain, 1, count);
            float[] gated = x.clone();
            Activations.applyGated(activation, gated, up, 1, count);
            for (int i = 1; i <= count; i++) {
                double expected = exact(activation, x[i]);
                double allowed = 2e-7 * Math.max(1, Math.abs(expected));
                assertThat((double) plain[i]).as("%s", x[i]).isCloseTo(expected, within(allowed));
                assertThat((double) gated[i]).isCloseTo(expected * up[i], within(2 * allowed));
            }
            assertThat(plain[0]).isEqualTo(0f);
        }
        float[] far = {-1e4f, -100, 100, 1e4f};
        Activations.apply(activation, far, 0, 4);
        assertThat(far).containsExactly(new float[] {0, 0, 100, 1e4f}, within(1e-30f));
    }

    private static double exact(Activation activation, double x) {
        return switch (activation) {
            case SILU -> x / (1 + Math.exp(-x));
            case GELU -> x / 2 * Erf.erfc(-x / Math.sqrt(2));
            case GELU_TANH -> x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case RELU -> Math.max(x, 0);
        };
    }

    @Test
    void softCapIsCloseEverywhere() {
        for (int count : new int[] {1, 15, 16, 19, 4001}) {
            float[] x = new float[count + 2];
            for (int i = 0; i < count; i++) {
                x[2 + i] = -400 + 800f * i / count;
            }
            float[] capped = x.clone();
            HyperbolicTangent.softCap(capped, 2, count, 50);
            for (int i = 2; i < x.length; i++) {
                double expected = 50 * Math.tanh(x[i] / 50.0);
                assertThat((double) capped[i]).isCloseTo(expected, within(3e-7 * Math.abs(expected)));
            }
        }
    }

    @Test
    void layerNormOfOddLengths() {
        Random random = new Random(6);
        for (int width = 1; width < 75; width++) {
            float[] x = random(random, width + 3);
            float[] weight = random(random, width + 2);
            float[] bias = random(random, width + 2);
            float[] y = new float[x.length];
            double mean = 0;
            double variance = 0;
            for (int i = 0; i < width; i++) {
                x[3 + i] += 4;
                mean += (double) x[3 + i] / width;
            }
            for (int i = 0; i < width; i++) {
                variance += (x[3 + i] - mean) * (x[3 + i] - mean) / width;
            }
            double[] expected = new double[width];
            for (int i = 0; i < width; i++) {
                expected[i] = (x[3 + i] - mean) / Math.sqrt(variance + 0.01) * weight[2 + i] + bias[2 + i];
            }
            Elementwise.layerNorm(x, 3, width, weight, bias, 2, 0.01, y);
            Elementwise.layerNorm(x, 3, width, weight, bias, 2, 0.01, x);
            for (int i = 0; i < width; i++) {
                assertThat((double) y[3 + i]).isCloseTo(expected[i], within(1e-5));
                assertThat(x[3 + i]).isEqualTo(y[3 + i]);
            }
        }
    }

    @Test
    void smallPassesOfOddLengths() {
        Random random = new Random(7);
        for (int count = 1; count < 70; count++) {
            float[] x = random(random, count + 5);
            float[] y = random(random, count + 5);
            float[] scaled = x.clone();
            Elementwise.scale(scaled, 2, count, 3);
            float[] clipped = x.clone();
            Elementwise.clip(clipped, 2, count, 0.5f);
            float[] product = y.clone();
            Elementwise.multiply(x, product, 2, count);
            float[] sum = y.clone();
            Elementwise.addScaled(x, 1, 2, sum, 3, count);
            float[] ramp = x.clone();
            AttentionKernel.addRamp(ramp, 0, count, count - 1, 0.3f);
            for (int i = 0; i < x.length; i++) {
                boolean inside = i >= 2 && i < 2 + count;
                assertThat(scaled[i]).isEqualTo(inside ? 3 * x[i] : x[i]);
                assertThat(clipped[i]).isEqualTo(inside ? Math.clamp(x[i], -0.5f, 0.5f) : x[i]);
                assertThat(product[i]).isEqualTo(inside ? x[i] * y[i] : y[i]);
                assertThat(sum[i]).isEqualTo(i >= 3 && i < 3 + count ? Math.fma(2, x[i - 2], y[i]) : y[i]);
                assertThat((double) ramp[i])
                        .isCloseTo(i < count ? x[i] + 0.3f * (double) (i + 1 - count) : x[i], within(2e-6));
            }
        }
    }

    private static float[] random(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
