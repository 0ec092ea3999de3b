package dev.demitasse.distill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.distill.TrainedModel.ForwardResult;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TrainedModelTest {
    /** Logits and every hidden state equal transformers', within fp32 reordering (golden README: 5e-5). */
    @ParameterizedTest
    @MethodSource("dev.demitasse.model.reference.SharedData#goldens")
    void agreesWithTransformers(String name) throws IOException {
        Path folder = SharedData.require("golden/" + name);
        try (Checkpoint checkpoint = Checkpoint.open(folder);
                TrainedModel model = TrainedModel.open(checkpoint)) {
            for (Golden.Sequence sequence : Golden.read(folder).sequences()) {
                ForwardResult ours = model.forward(List.of(sequence.input()));
                assertThat(largestDifference(ours.logits(), sequence.logits()))
                        .as("logits")
                        .isLessThan(5e-5);
                // A last state of another width, after a projection, the file leaves out.
                assertThat(ours.hiddenStates().size() - sequence.hiddenStates().size())
                        .isBetween(0, 1);
                for (int i = 0; i < sequence.hiddenStates().size(); i++) {
                    assertThat(largestDifference(
                                    ours.hiddenStates().get(i),
                                    sequence.hiddenStates().get(i)))
                            .as("hidden state %d", i)
                            .isLessThan(5e-5);
                }
            }
        }
    }

    /** GGUF's rows of q and k pair otherwise and its weights are packed: logits of a float64 forward pass of the same. */
    @ParameterizedTest
    @ValueSource(strings = {"F32", "F16", "BF16", "Q8_0", "Q4_0"})
    void readsGguf(String type) throws IOException {
        Path folder = SharedData.require("golden/gguf");
        try (SafetensorsFile truth = SafetensorsFile.open(folder.resolve("logits.safetensors"));
                Checkpoint checkpoint = Checkpoint.open(folder.resolve(type + ".gguf"))) {
            int[] ids = truth.tensor("input_ids").toInts();
            float[] expected = truth.tensor(type + "/f64").toFloats();
            float[] ours = TrainedModel.forward(checkpoint, new int[][] {ids}).logits();
            float[] last = Arrays.copyOfRange(ours, ours.length - expected.length, ours.length);
            assertThat(largestDifference(last, expected)).isLessThan(2e-4);
        }
    }

    @Test
    void namesTheIdThatIsOutsideOfTheVocabulary() throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("golden/llama"))) {
            assertThatThrownBy(() -> TrainedModel.forward(checkpoint, new int[][] {{1, 2, 99_999}}))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("99999");
        }
    }

    private static double largestDifference(float[] ours, float[] theirs) {
        assertThat(ours).hasSameSizeAs(theirs);
        double largest = 0;
        for (int i = 0; i < ours.length; i++) {
            double difference = Math.abs((double) ours[i] - theirs[i]);
            largest = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : Math.max(largest, difference);
        }
        return largest;
    }
}
