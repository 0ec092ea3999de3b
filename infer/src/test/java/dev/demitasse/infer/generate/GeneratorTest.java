package dev.demitasse.infer.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.generate.Generator.Continuation;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GeneratorTest {
    /** karpathy's run.c with temperature 0 and 200 steps: the checkpoint's expected_stdout.txt, and so the GGUF of it. */
    @ParameterizedTest
    @ValueSource(strings = {"data/models/stories260K", "golden/gguf/stories260K-f32.gguf"})
    void greedyTextIsTheOneRecorded(String model) throws IOException {
        Path folder = SharedData.require("data/models/stories260K");
        String expected = Files.readString(folder.resolve("expected_stdout.txt"));
        try (Checkpoint tokens = Checkpoint.open(folder);
                CpuModel cpu = CpuModel.open(SharedData.require(model))) {
            List<Integer> streamed = new ArrayList<>();
            Continuation continuation =
                    new Generator(cpu, SamplingOptions.GREEDY).generate(new int[0], 200, streamed::add);
            assertThat(tokens.requireTokenizer().decode(continuation.tokens()).strip())
                    .isEqualTo(expected.strip());
            assertThat(streamed)
                    .containsExactlyElementsOf(java.util.Arrays.stream(continuation.tokens())
                            .boxed()
                            .toList());
        }
    }

    @Test
    void aSeedDrawsTheSameTextAndAnotherAnother() throws IOException {
        try (CpuModel model = CpuModel.open(SharedData.require("data/models/stories260K"))) {
            int[] first = sample(model, 1);
            assertThat(sample(model, 1)).isEqualTo(first);
            assertThat(sample(model, 2)).isNotEqualTo(first);
        }
    }

    private static int[] sample(CpuModel model, long seed) {
        SamplingOptions options = new SamplingOptions(0.8, 40, 0.95, seed);
        return new Generator(model, options)
                .generate(new int[] {1}, 40, token -> {})
                .tokens();
    }

    @Test
    void refusesWhatDoesNotFitTheModel() throws IOException {
        try (CpuModel model = CpuModel.open(SharedData.require("data/models/stories260K"))) {
            Generator generator = new Generator(model, SamplingOptions.GREEDY);
            assertThatThrownBy(() -> generator.generate(new int[] {1}, 512, token -> {}))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("512");
            assertThatThrownBy(() -> generator.generate(new int[] {1}, 0, token -> {}))
                    .isInstanceOf(InvalidRequestException.class);
            assertThatThrownBy(() -> generator.generate(new int[] {600}, 5, token -> {}))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("600");
        }
    }
}
