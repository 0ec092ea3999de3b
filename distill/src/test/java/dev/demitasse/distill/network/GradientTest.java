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
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.CheckpointWriter;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class GradientTest {
    /** What float32 leaves of a gradient that is 0 in exact arithmetic, as a key's bias has it. */
    private static final double NOISE = 1e-7;

    @TempDir
    private Path folder;

    static Stream<String> models() throws IOException {
        Path file = SharedData.require("golden/grads.json");
        JsonNode models = new ObjectMapper().readTree(file.toFile()).path("models");
        return SharedData.goldens().filter(models::has);
    }

    /**
     * Loss and gradients of every weight equal transformers 4.46.3's (golden/grads.json): norm, sum, first and last 8 of
     * each tensor in the Hugging Face layout, fused and transposed as the family has it.
     */
    @ParameterizedTest
    @MethodSource("models")
    void agreesWithTransformers(String name) throws IOException {
        JsonNode expected = new ObjectMapper()
                .readTree(SharedData.require("golden/grads.json").toFile())
                .path("models")
                .path(name);
        Path source = SharedData.require("golden/" + name);
        int[][] ids = Golden.read(source).sequences().stream()
                .map(Golden.Sequence::inputIds)
                .filter(sequence -> sequence.length == 24)
                .toArray(int[][]::new);
        try (Checkpoint checkpoint = Checkpoint.open(source);
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
            writeGradients(network);
        }
        try (SafetensorsFile gradients = SafetensorsFile.open(folder.resolve("model.safetensors"))) {
            assertThat(gradients.tensors())
                    .hasSameSizeAs(expected.path("gradients").properties());
            for (Map.Entry<String, JsonNode> entry : expected.path("gradients").properties()) {
                check(
                        entry.getKey(),
                        entry.getValue(),
                        gradients.tensor(entry.getKey()).toFloats());
            }
        }
    }

    /** As if they were the weights of a checkpoint. */
    private void writeGradients(Transformer network) throws IOException {
        try (CheckpointWriter writer =
                        CheckpointWriter.create(folder, network.config(), Optional.empty(), key -> ScalarFormat.F32);
                Arena arena = Arena.ofConfined()) {
            for (Map.Entry<TensorKey, NDArray> weight : network.weights().entrySet()) {
                NDArray gradient = weight.getValue().getGradient();
                writer.write(
                        weight.getKey(),
                        NativeTensors.save(arena, weight.getKey().toString(), gradient));
            }
            writer.commit();
        }
    }

    private static void check(String name, JsonNode expected, float[] values) {
        double squares = 0;
        double sum = 0;
        for (float value : values) {
            squares += (double) value * value;
            sum += value;
        }
        double norm = expected.path("norm").asDouble();
        assertThat(Math.sqrt(squares)).as(name).isCloseTo(norm, within(1e-5 * norm + NOISE));
        assertThat(sum).as(name).isCloseTo(expected.path("sum").asDouble(), within(2e-5 * norm + NOISE));
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
