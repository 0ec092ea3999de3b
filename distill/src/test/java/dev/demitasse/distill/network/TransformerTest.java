package dev.demitasse.distill.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TokenInput;
import dev.demitasse.model.reference.ModelForms;
import dev.demitasse.model.reference.PlainModel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every form of model, against {@link PlainModel} in double arithmetic. */
class TransformerTest {
    private static final int TOKENS = 7;

    static Stream<String> forms() {
        return ModelForms.all().keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("forms")
    void agreesWithTheDefinition(String form) {
        ModelConfig config = Objects.requireNonNull(ModelForms.all().get(form));
        Map<TensorKey, double[]> weights = weights(config, new Random(3));
        List<TokenInput> inputs = inputs(config, new Random(4));
        try (NDManager manager = PyTorch.newManager();
                PyTorch.Untraced untraced = PyTorch.untraced()) {
            NDList output = transformer(manager, config, weights, false).forward(inputs);
            for (int row = 0; row < inputs.size(); row++) {
                PlainModel.Result expected = new PlainModel(config, weights).forward(inputs.get(row));
                assertClose(output.head(), row, expected.logits(), "logits");
                for (int i = 0; i < expected.states().size(); i++) {
                    assertClose(output.get(i + 1), row, expected.states().get(i), "hidden state " + i);
                }
            }
        }
    }

    /** The derivative along a random direction of each tensor, against a difference quotient in double arithmetic. */
    @ParameterizedTest
    @MethodSource("forms")
    void differentiatesTheDefinition(String form) {
        ModelConfig config = Objects.requireNonNull(ModelForms.all().get(form));
        Map<TensorKey, double[]> weights = weights(config, new Random(5));
        List<TokenInput> inputs = inputs(config, new Random(6));
        double[] mix = new Random(7)
                .doubles((long) inputs.size() * TOKENS * config.vocabularySize(), -1, 1)
                .toArray();
        try (NDManager manager = PyTorch.newManager();
                GradientCollector collector = PyTorch.engine().newGradientCollector()) {
            Transformer network = transformer(manager, config, weights, true);
            NDArray logits = network.forward(inputs).head();
            collector.backward(
                    logits.mul(manager.create(floats(mix), logits.getShape())).sum());
            network.weights().forEach((key, array) -> {
                float[] gradient = array.getGradient().toFloatArray();
                double[] direction = new Random(key.toString().hashCode())
                        .doubles(gradient.length, -1, 1)
                        .toArray();
                double ours = 0;
                for (int i = 0; i < gradient.length; i++) {
                    ours += gradient[i] * direction[i];
                }
                double step = 1e-5;
                double quotient = (mixed(config, moved(weights, key, direction, step), inputs, mix)
                                - mixed(config, moved(weights, key, direction, -step), inputs, mix))
                        / (2 * step);
                assertThat(ours).as(key.toString()).isCloseTo(quotient, within(1e-4 + 1e-4 * Math.abs(quotient)));
            });
        }
    }

    private static double mixed(
            ModelConfig config, Map<TensorKey, double[]> weights, List<TokenInput> inputs, double[] mix) {
        double sum = 0;
        int at = 0;
        for (TokenInput input : inputs) {
            for (double[] row : new PlainModel(config, weights).forward(input).logits()) {
                for (double logit : row) {
                    sum += logit * mix[at++];
                }
            }
        }
        return sum;
    }

    private static Map<TensorKey, double[]> moved(
            Map<TensorKey, double[]> weights, TensorKey key, double[] direction, double step) {
        Map<TensorKey, double[]> moved = new LinkedHashMap<>(weights);
        double[] values = Objects.requireNonNull(weights.get(key)).clone();
        for (int i = 0; i < values.length; i++) {
            values[i] += step * direction[i];
        }
        moved.put(key, values);
        return moved;
    }

    private static Transformer transformer(
            NDManager manager, ModelConfig config, Map<TensorKey, double[]> weights, boolean trained) {
        return new Transformer(
                manager,
                config,
                key -> Tensor.ofFloats(
                        key.toString(), floats(Objects.requireNonNull(weights.get(key))), config.shape(key)),
                trained);
    }

    /** Numbers that a float holds exactly. */
    private static Map<TensorKey, double[]> weights(ModelConfig config, Random random) {
        Map<TensorKey, double[]> weights = new LinkedHashMap<>();
        for (TensorKey key : config.tensors()) {
            double[] values = new double[Math.toIntExact(Tensor.elements(config.shape(key)))];
            double around = key.role().norm() && key.part() == TensorKey.Part.WEIGHT ? 1 : 0;
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) (around + 0.4 * random.nextGaussian());
            }
            weights.put(key, values);
        }
        return weights;
    }

    /** Two sequences; an encoder's second is padded, and its segments differ. */
    private static List<TokenInput> inputs(ModelConfig config, Random random) {
        List<TokenInput> inputs = new ArrayList<>();
        for (int row = 0; row < 2; row++) {
            int[] ids = random.ints(TOKENS, 2, config.vocabularySize()).toArray();
            if (config.causal()) {
                inputs.add(TokenInput.of(ids));
                continue;
            }
            boolean[] attended = new boolean[TOKENS];
            for (int i = 0; i < TOKENS; i++) {
                attended[i] = row == 0 || i < 5;
                ids[i] = attended[i] ? ids[i] : config.specialTokens().pad().orElseThrow();
            }
            int[] types =
                    random.ints(TOKENS, 0, config.embedding().tokenTypes()).toArray();
            inputs.add(new TokenInput(ids, Optional.of(attended), Optional.of(types)));
        }
        return inputs;
    }

    private static void assertClose(NDArray ours, int row, double[][] expected, String what) {
        float[] values = ours.get(row).toFloatArray();
        assertThat(ours.getShape()).isEqualTo(new Shape(2, TOKENS, expected[0].length));
        for (int i = 0; i < values.length; i++) {
            double theirs = expected[i / expected[0].length][i % expected[0].length];
            assertThat((double) values[i])
                    .as("%s of row %d, number %d", what, row, i)
                    .isCloseTo(theirs, within(2e-5 + 1e-5 * Math.abs(theirs)));
        }
    }

    private static float[] floats(double[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }
}
