package dev.demitasse.distill.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.distill.loss.CrossEntropy;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GradientTest {
    /** Loss and gradients of every weight equal transformers 4.46.3's (golden/grads.json): norm, sum, first and last 8. */
    @Test
    void agreesWithTransformers() throws IOException {
        JsonNode expected = new ObjectMapper()
                .readTree(SharedData.require("golden/grads.json").toFile())
                .path("models")
                .path("llama_tied");
        Path folder = SharedData.require("golden/llama_tied");
        int[][] ids = Golden.read(folder).sequences().stream()
                .map(Golden.Sequence::inputIds)
                .filter(sequence -> sequence.length == 24)
                .toArray(int[][]::new);
        try (Checkpoint checkpoint = Checkpoint.open(folder);
                NDManager manager = PyTorch.newManager()) {
            SourceWeights weights = SourceWeights.of(checkpoint);
            Transformer network = new Transformer(manager, weights.config(), weights.tensor(), true);
            try (GradientCollector collector = PyTorch.engine().newGradientCollector()) {
                NDArray logits = network.forward(ids).head();
                NDArray loss =
                        CrossEntropy.of(manager, CrossEntropy.nextTokens(ids)).of(logits);
                collector.backward(loss);
                assertThat((double) loss.getFloat())
                        .isCloseTo(expected.path("loss").asDouble(), within(5e-6));
            }
            assertThat(expected.path("gradients"))
                    .hasSameSizeAs(network.weights().keySet());
            for (Map.Entry<TensorKey, NDArray> weight : network.weights().entrySet()) {
                String name = weights.config().name(weight.getKey());
                check(
                        name,
                        expected.path("gradients").path(name),
                        weight.getValue().getGradient());
            }
        }
    }

    private static void check(String name, JsonNode expected, NDArray gradient) {
        float[] values = gradient.toFloatArray();
        double squares = 0;
        double sum = 0;
        for (float value : values) {
            squares += (double) value * value;
            sum += value;
        }
        double norm = expected.path("norm").asDouble();
        assertThat(Math.sqrt(squares)).as(name).isCloseTo(norm, within(1e-5 * norm));
        assertThat(sum).as(name).isCloseTo(expected.path("sum").asDouble(), within(2e-5 * norm));
        assertThat(Arrays.copyOf(values, 8)).as(name).containsExactly(floats(expected.path("first8")), within(2e-6f));
        assertThat(Arrays.copyOfRange(values, values.length - 8, values.length))
                .as(name)
                .containsExactly(floats(expected.path("last8")), within(2e-6f));
    }

    private static float[] floats(JsonNode numbers) {
        float[] values = new float[numbers.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) numbers.get(i).asDouble();
        }
        return values;
    }
}
