package dev.demitasse.infer.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.infer.parallel.WorkerPool;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kernel against a plain triple loop in double over the decoded weights, on sizes that fill no vector evenly. */
class LinearTest {
    private static final int[] TOKENS = {1, 2, 4, 5, 17, 33, 530};

    static Stream<Arguments> formatsAndSizes() {
        return TensorFormat.all().stream()
                .filter(format -> !(format instanceof ScalarFormat scalar) || scalar.floating())
                .flatMap(format -> format.blockSize() == 1
                        ? Stream.of(
                                Arguments.of(format, 1, 1),
                                Arguments.of(format, 7, 13),
                                Arguments.of(format, 25, 515),
                                Arguments.of(format, 48, 1030))
                        : Stream.of(
                                Arguments.of(format, 1, format.blockSize()),
                                Arguments.of(format, 7, 3 * format.blockSize()),
                                Arguments.of(format, 31, 512 + format.blockSize())));
    }

    @ParameterizedTest
    @MethodSource("formatsAndSizes")
    void floatProjectionsAreTheSumOfProducts(TensorFormat format, int outputs, int inputs) {
        Random random = new Random(17);
        Tensor weight = Tensor.ofFloats("w", gaussian(random, outputs * inputs), outputs, inputs)
                .to(format);
        Tensor bias = Tensor.ofFloats("b", gaussian(random, outputs), outputs);
        Linear linear = Linear.of(weight, Optional.of(bias));
        for (int tokens : TOKENS) {
            float[] x = gaussian(random, tokens * inputs);
            float[] y = new float[tokens * outputs];
            linear.multiply(x, tokens, y);
            double[] expected = product(weight.toFloats(), x, bias.toFloats(), tokens, outputs, inputs);
            double worst = 0;
            for (int i = 0; i < y.length; i++) {
                worst = Math.max(worst, Math.abs(y[i] - expected[i]));
            }
            assertThat(worst).isCloseTo(0, within(2e-6 * inputs + 1e-6));
        }
    }

    /** Formats whose rows have scales of their own: sums are multiplied by them, the bias is not. */
    @Test
    void rowScalesMultiplyTheSums() {
        Random random = new Random(23);
        int outputs = 31;
        int inputs = 70;
        Tensor weight = Tensor.ofFloats("w", gaussian(random, outputs * inputs), outputs, inputs);
        Tensor scales = Tensor.ofFloats("s", gaussian(random, outputs), outputs);
        Tensor bias = Tensor.ofFloats("b", gaussian(random, outputs), outputs);
        Linear linear = FloatLinear.of(weight, Optional.of(scales), Optional.of(bias));
        float[] scaled = weight.toFloats();
        for (int i = 0; i < scaled.length; i++) {
            scaled[i] *= scales.toFloats()[i / inputs];
        }
        for (int tokens : TOKENS) {
            float[] x = gaussian(random, tokens * inputs);
            float[] y = new float[tokens * outputs];
            linear.multiply(x, tokens, y);
            double[] expected = product(scaled, x, bias.toFloats(), tokens, outputs, inputs);
            double worst = 0;
            for (int i = 0; i < y.length; i++) {
                worst = Math.max(worst, Math.abs(y[i] - expected[i]));
            }
            assertThat(worst).isLessThan(2e-4);
        }
    }

    @Test
    void threadsChangeNothing() {
        Random random = new Random(3);
        int outputs = 301;
        int inputs = 1100;
        Linear linear =
                Linear.of(Tensor.ofFloats("w", gaussian(random, outputs * inputs), outputs, inputs), Optional.empty());
        try (WorkerPool three = new WorkerPool(3)) {
            for (int tokens : TOKENS) {
                LinearInput x = new LinearInput(gaussian(random, tokens * inputs), tokens, inputs);
                float[] alone = new float[tokens * outputs];
                float[] together = new float[tokens * outputs];
                linear.multiply(x, alone, Workers.CALLER);
                linear.multiply(x, together, three);
                assertThat(together).isEqualTo(alone);
            }
        }
    }

    /** The integer path against DynamicQuantizeLinear of normalized tokens and MatMulInteger in ints: equal, not close. */
    @ParameterizedTest
    @MethodSource("int8Sizes")
    void integerProjectionsAreExact(int outputs, int inputs) {
        Random random = new Random(5);
        byte[] codes = new byte[outputs * inputs];
        random.nextBytes(codes);
        // The extremes, where sums grow fastest.
        Arrays.fill(codes, 0, inputs, (byte) -128);
        Tensor weight = new Tensor(
                "w", ScalarFormat.I8, new long[] {outputs, inputs}, java.lang.foreign.MemorySegment.ofArray(codes));
        Tensor scales = Tensor.ofFloats("s", gaussian(random, outputs), outputs);
        Linear linear = Int8Linear.of(weight, scales, Optional.empty());
        for (int tokens : TOKENS) {
            float[] x = gaussian(random, tokens * inputs);
            Arrays.fill(x, 0, inputs, 9f);
            float[] y = new float[tokens * outputs];
            linear.multiply(x, tokens, y);
            assertThat(Arrays.equals(y, integerProduct(codes, scales.toFloats(), x, tokens, outputs, inputs)))
                    .isTrue();
        }
    }

    /** Kept columns take part with their own numbers, and neither in the matrix's product nor in the range of activations. */
    @Test
    void keptColumnsAreMultipliedApart() {
        Random random = new Random(7);
        int outputs = 9;
        int inputs = 96;
        byte[] codes = new byte[outputs * inputs];
        random.nextBytes(codes);
        Tensor weight = new Tensor(
                "w", ScalarFormat.I8, new long[] {outputs, inputs}, java.lang.foreign.MemorySegment.ofArray(codes));
        Tensor scales = Tensor.ofFloats("s", gaussian(random, outputs), outputs);
        Tensor values =
                Tensor.ofFloats("o", gaussian(random, outputs * 2), outputs, 2).to(ScalarFormat.F16);
        Outliers outliers = new Outliers(new int[] {4, 90}, values);
        TensorKey key = TensorKey.weight(Role.UP, 0);
        Map<TensorKey, Tensor> tensors =
                Map.of(key.part(Part.OUTLIERS), values, key.part(Part.OUTLIER_COLUMNS), outliers.columnTensor("c"));
        WeightSource source = new WeightSource() {
            @Override
            public Tensor tensor(TensorKey wanted) {
                return Optional.ofNullable(tensors.get(wanted)).orElseThrow();
            }

            @Override
            public boolean has(TensorKey wanted) {
                return tensors.containsKey(wanted);
            }
        };
        Linear matrix = Int8Linear.of(weight, scales, Optional.empty());
        Linear linear = OutlierLinear.around(matrix, source, key);
        for (int tokens : TOKENS) {
            float[] x = gaussian(random, tokens * inputs);
            float[] without = x.clone();
            float[] expected = new float[tokens * outputs];
            for (int token = 0; token < tokens; token++) {
                x[token * inputs + 4] = 1000;
                without[token * inputs + 4] = 0;
                without[token * inputs + 90] = 0;
            }
            matrix.multiply(without, tokens, expected);
            float[] y = new float[tokens * outputs];
            linear.multiply(x, tokens, y);
            float[] own = values.toFloats();
            double worst = 0;
            for (int i = 0; i < y.length; i++) {
                int row = i % outputs;
                int token = i / outputs;
                double added = 1000.0 * own[2 * row] + (double) x[token * inputs + 90] * own[2 * row + 1];
                worst = Math.max(worst, Math.abs(y[i] - expected[i] - added));
            }
            assertThat(worst).isLessThan(2e-3);
        }
    }

    /** One token a thousand times larger than the other leaves the other as exact as it is alone. */
    @Test
    void aHugeTokenCostsTheOthersNothing() {
        Random random = new Random(6);
        int inputs = 64;
        byte[] codes = new byte[inputs];
        random.nextBytes(codes);
        Tensor weight = new Tensor(
                "w", ScalarFormat.I8, new long[] {1, inputs}, java.lang.foreign.MemorySegment.ofArray(codes));
        Linear linear = Int8Linear.of(weight, Tensor.ofFloats("s", new float[] {1}, 1), Optional.empty());
        float[] small = gaussian(random, inputs);
        small[0] = 4;
        small[1] = -4;
        float[] both = new float[2 * inputs];
        for (int i = 0; i < inputs; i++) {
            both[i] = -1000 * small[i];
            both[inputs + i] = small[i];
        }
        float[] alone = new float[1];
        linear.multiply(small, 1, alone);
        float[] together = new float[2];
        linear.multiply(both, 2, together);
        assertThat(together[1]).isEqualTo(alone[0]);
    }

    static Stream<Arguments> int8Sizes() {
        return Stream.of(Arguments.of(1, 1), Arguments.of(7, 13), Arguments.of(25, 515), Arguments.of(26, 3000));
    }

    private static float[] integerProduct(
            byte[] codes, float[] scales, float[] x, int tokens, int outputs, int inputs) {
        float[] magnitudes = new float[tokens];
        float smallest = 0;
        float largest = 0;
        for (int i = 0; i < x.length; i++) {
            magnitudes[i / inputs] = Math.max(magnitudes[i / inputs], Math.abs(x[i]));
        }
        float[] divided = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            divided[i] = x[i] / magnitudes[i / inputs];
            smallest = Math.min(smallest, divided[i]);
            largest = Math.max(largest, divided[i]);
        }
        float scale = (largest - smallest) / 255;
        int zero = (int) Math.max(0, Math.min(255, Math.rint(-smallest / scale)));
        float[] y = new float[tokens * outputs];
        for (int t = 0; t < tokens; t++) {
            for (int row = 0; row < outputs; row++) {
                int sum = 0;
                for (int k = 0; k < inputs; k++) {
                    int code = (int) Math.max(0, Math.min(255, Math.rint(divided[t * inputs + k] / scale) + zero));
                    sum += (code - zero) * codes[row * inputs + k];
                }
                y[t * outputs + row] = (float) sum * (scale * scales[row]) * magnitudes[t] + 0f;
            }
        }
        return y;
    }

    private static double[] product(float[] w, float[] x, float[] bias, int tokens, int outputs, int inputs) {
        double[] y = new double[tokens * outputs];
        for (int t = 0; t < tokens; t++) {
            for (int row = 0; row < outputs; row++) {
                double sum = bias[row];
                for (int k = 0; k < inputs; k++) {
                    sum += (double) w[row * inputs + k] * x[t * inputs + k];
                }
                y[t * outputs + row] = sum;
            }
        }
        return y;
    }

    private static float[] gaussian(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
