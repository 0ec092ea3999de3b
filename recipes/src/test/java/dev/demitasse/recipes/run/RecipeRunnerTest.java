package dev.demitasse.recipes.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.hub.HubSettings;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.recipes.language.Recipe;
import dev.demitasse.recipes.run.RecipeRunner.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** A whole recipe on a model small enough to be made in seconds: every kind of stage, every kind of file. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class RecipeRunnerTest {
    private static final String RECIPE = """
            name: whole
            seed: 3
            data:
              train: {builtin: stories, seed: 1, count: 120, length: 64}
              validation: {builtin: stories, seed: 2, count: 20, length: 64, samples: 4}
              calibration: {builtin: stories, seed: 3, count: 40, length: 64, samples: 24}
              test: {builtin: stories, seed: 4, count: 20, length: 64, samples: 16}
            evaluate: {metrics: [perplexity, kl, top1, size], sample: 8}
            stages:
              - id: made
                pretrain: {hidden_size: 64, intermediate_size: 128, layers: 2, heads: 4, kv_heads: 2,
                  vocabulary_size: 400, max_positions: 128, steps: 25, batch: 4, learning_rate: 5e-3}
              - id: slim
                prune: {ffn: 0.5, importance: activation, multiple_of: 32}
              - id: heal
                distill: {teacher: made, steps: 15, batch: 4, learning_rate: 2e-3}
              - id: q4
                quantize: {method: gptq, format: q4_0}
              - id: gguf
                export: {format: gguf}
                gate: {perplexity_ratio: {min: 0.99, max: 1.01, against: q4}}
              - id: int8
                from: heal
                quantize: {method: smoothquant, format: int8}
              - id: onnx
                export: {format: onnx}
                gate: {perplexity_ratio: {min: 0.99, max: 1.01, against: int8},
                  kl_median: {max: 0.05, against: int8}, top1: {min: 0.8, against: int8}}
              - id: groups
                from: heal
                quantize: {format: int4_g32}
              - id: folder
                export: {format: gptq}
            """;

    @TempDir
    private static Path folder;

    private final List<String> said = new ArrayList<>();

    private Outcome run(String... overrides) throws IOException {
        Path file = folder.resolve("whole.yaml");
        Files.writeString(file, RECIPE);
        ModelLocation models = new ModelLocation(HubSettings.of(Map.of("HF_HUB_OFFLINE", "1")), Progress.SILENT);
        return RecipeRunner.run(
                Recipe.read(file, List.of(overrides)), folder.resolve("run"), models, said::add, Progress.SILENT);
    }

    @Test
    @Order(1)
    void aFirstRunDoesEverythingAndItsFilesComputeWhatTheyWereMadeFrom() throws IOException {
        Outcome outcome = run();

        assertThat(outcome.stagesDone()).isEqualTo(9);
        assertThat(outcome.gates()).hasSize(4).allMatch(GateResult::passed);
        JsonNode metrics =
                new ObjectMapper().readTree(folder.resolve("run/metrics.json").toFile());
        assertThat(metrics.path("onnx").path("scores")).hasSize(2);
        double builtIn = perplexity(metrics, "onnx", 0);
        assertThat(perplexity(metrics, "onnx", 1))
                .as("ONNX Runtime's perplexity of the file that the built-in runtime read")
                .isCloseTo(builtIn, within(0.01 * builtIn));
        assertThat(perplexity(metrics, "gguf", 0)).isCloseTo(perplexity(metrics, "q4", 0), within(1e-3));
        assertThat(perplexity(metrics, "folder", 0)).isCloseTo(perplexity(metrics, "groups", 0), within(1e-3));
        assertThat(perplexity(metrics, "heal", 0))
                .as("distilling wins back some of what pruning lost")
                .isLessThan(perplexity(metrics, "slim", 0));
        JsonNode divergence =
                metrics.path("q4").path("scores").path(0).path("divergences").path("made");
        assertThat(divergence.path("klSpread").path("percentiles").path("50.0").asDouble(0))
                .isPositive()
                .isLessThan(divergence.path("kl").path("value").asDouble(0));
        assertThat(divergence
                        .path("perplexity")
                        .path("ratio")
                        .path("standardError")
                        .asDouble(0))
                .isPositive();
        assertThat(metrics.path("onnx")
                        .path("scores")
                        .path(1)
                        .path("divergences")
                        .size())
                .as("ONNX Runtime's, against int8 and the recipe's first model")
                .isEqualTo(2);
        assertThat(folder.resolve("run/report.html")).isRegularFile();
        assertThat(folder.resolve("run/report.md")).content().contains("onnx", "gguf", "ONNX Runtime");
        assertThat(folder.resolve("run/events.jsonl")).content().contains("stage_committed");
    }

    @Test
    @Order(2)
    void theGgufHoldsExactlyWhatGptqChose() throws IOException {
        TensorKey down = TensorKey.weight(Role.DOWN, 1);
        try (Checkpoint quantized = Checkpoint.open(folder.resolve("run/stages/q4"));
                Checkpoint exported = Checkpoint.open(folder.resolve("run/artifacts/gguf.gguf"))) {
            assertThat(exported.tensor(down).format().id()).isEqualTo("q4_0");
            assertThat(exported.tensor(down)
                            .data()
                            .mismatch(quantized.tensor(down).data()))
                    .isEqualTo(-1);
        }
    }

    @Test
    @Order(2)
    void aFolderIsInAnotherToolsLayout() throws IOException {
        Path made = folder.resolve("run/artifacts/folder");
        JsonNode json = new ObjectMapper()
                .readTree(made.resolve("config.json").toFile())
                .path("quantization_config");
        assertThat(json.path("quant_method").asText()).isEqualTo("gptq");
        assertThat(json.path("group_size").asInt()).isEqualTo(32);
        assertThat(made.resolve("tokenizer.json")).isRegularFile();
        assertThat(folder.resolve("run/stages/folder/stage.json"))
                .content()
                .contains("artifacts/folder/model.safetensors");
    }

    /** All others are compared with the first, onnx with int8 by two runtimes; no more has to be kept. */
    @Test
    @Order(3)
    void whatSeveralAreComparedWithIsKept() throws IOException {
        try (Stream<Path> kept = Files.list(folder.resolve("run/references"))) {
            assertThat(kept.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder("made.kept", "int8.kept");
        }
    }

    @Test
    @Order(3)
    void aSecondRunDoesNothing() throws IOException {
        Outcome outcome = run();

        assertThat(outcome.nothingToDo()).isTrue();
        assertThat(said).filteredOn(line -> line.endsWith("unchanged")).hasSize(9);
    }

    @Test
    @Order(4)
    void aChangedLineRedoesWhatDependsOnItAlone() throws IOException {
        Outcome outcome = run("stages.int8.quantize.alpha=0.6");

        assertThat(outcome.stagesDone()).as("int8 and onnx").isEqualTo(2);
        assertThat(said).contains("q4: unchanged", "gguf: unchanged");
    }

    @Test
    @Order(5)
    void aGateThatDoesNotHoldFailsTheRunAndNamesTheWorstLayers() throws IOException {
        Outcome outcome = run("stages.q4.gate.kl.max=1e-9");

        assertThat(outcome.passed()).isFalse();
        assertThat(outcome.gates()).hasSize(1);
        assertThat(outcome.gates().getFirst().toString()).contains("NOT MET", "model.layers.");
    }

    private static double perplexity(JsonNode metrics, String id, int runtime) {
        return metrics.path(id)
                .path("scores")
                .path(runtime)
                .path("quality")
                .path("perplexity")
                .asDouble(Double.NaN);
    }
}
