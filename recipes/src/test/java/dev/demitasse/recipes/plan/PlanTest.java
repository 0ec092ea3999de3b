package dev.demitasse.recipes.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.export.gguf.GgufExport;
import dev.demitasse.export.gguf.GgufOptions;
import dev.demitasse.export.huggingface.HuggingFaceExport;
import dev.demitasse.export.huggingface.HuggingFaceLayout;
import dev.demitasse.export.onnx.OnnxExport;
import dev.demitasse.export.onnx.OnnxOptions;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.prune.Pruning;
import dev.demitasse.quantize.Quantization;
import dev.demitasse.quantize.QuantizeOptions;
import dev.demitasse.recipes.language.Distill;
import dev.demitasse.recipes.language.Export;
import dev.demitasse.recipes.language.Pretrain;
import dev.demitasse.recipes.language.Prune;
import dev.demitasse.recipes.language.Quantize;
import dev.demitasse.recipes.language.Recipe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a plan foretells, against what the stages then make of a real checkpoint (stories260K: 260,032 parameters). */
class PlanTest {
    private static final String STAGES = """
            stages:
              - {id: slim, prune: {ffn: 128, layers: 3, importance: magnitude}}
              - {id: heal, distill: {tokens: 10k}}
              - {id: q4, from: slim, quantize: {format: q4_0}}
              - {id: int8, from: slim, quantize: {format: int8}}
              - {id: gguf, from: q4, export: {format: gguf}}
              - {id: half, from: slim, export: {format: gguf, weights: f16}}
              - {id: onnx, from: int8, export: {format: onnx}}
              - {id: blocks, from: q4, export: {format: onnx}}
            """;

    @TempDir
    Path folder;

    private Path model = Path.of("");

    @BeforeEach
    void findTheModel() {
        model = SharedData.require("data/models/stories260K");
    }

    private Recipe recipe(String stages) throws IOException {
        Path file = folder.resolve("mine.yaml");
        Files.writeString(file, """
                model: %s
                data:
                  train: {builtin: stories, length: 256}
                  test: {builtin: stories, length: 256}
                %s""".formatted(model, stages));
        return Recipe.read(file, List.of());
    }

    private Plan plan(String stages) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            return Plan.of(recipe(stages), Optional.of(checkpoint));
        }
    }

    private static PlannedStage stage(Plan plan, String id) {
        return plan.stages().stream()
                .filter(stage -> stage.stage().id().equals(id))
                .findFirst()
                .orElseThrow();
    }

    /** What most weights are in can be multiplied by, the head's format not: told before anything is done. */
    @Test
    void refusesWhatNoOperatorOfOnnxTakes() {
        assertThatThrownBy(() -> plan("""
                stages:
                  - {id: q4, quantize: {format: q4_0, embedding: q4_1}}
                  - {id: onnx, export: {format: onnx}}
                """))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("q4_1")
                .hasMessageContaining("embedding: q8_0");
        assertThatThrownBy(() -> plan("""
                stages:
                  - {id: onnx, from: model, export: {format: onnx, activations: static}}
                """))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("static is for int8 weights");
    }

    /** Sizes to the byte, but for the names and the tokenizer that files hold besides tensors. */
    @Test
    void foretellsTheFilesThatStagesMake() throws IOException {
        Plan plan = plan(STAGES);
        for (PlannedStage planned : plan.stages()) {
            String id = planned.stage().id();
            Path from = planned.stage().from().orElseThrow().equals("model")
                    ? model
                    : folder.resolve(planned.stage().from().orElseThrow());
            Path file = folder.resolve(id);
            switch (planned.stage().work()) {
                case Prune prune -> {
                    try (Checkpoint source = Checkpoint.open(from)) {
                        Pruning.run(source, WorkOptions.of(prune), Optional.empty(), file, Progress.SILENT);
                    }
                }
                case Quantize quantize -> {
                    try (Checkpoint source = Checkpoint.open(from)) {
                        Quantization.run(source, WorkOptions.of(quantize), Optional.empty(), file, Progress.SILENT);
                    }
                }
                case Export export -> {
                    file = folder.resolve(export.fileName(id));
                    try (Checkpoint source = Checkpoint.open(from)) {
                        export(export, source, file);
                    }
                }
                case Distill distill -> {
                    continue;
                }
                case Pretrain pretrain -> throw new AssertionError();
            }
            long metadata = planned.stage().work() instanceof Export ? 100_000 : 8_000;
            long bytes = Files.size(Files.isDirectory(file) ? file.resolve("model.safetensors") : file);
            assertThat(bytes - planned.bytes()).as(id).isBetween(0L, metadata);
            if (!file.toString().endsWith(".onnx")) {
                try (Checkpoint made = Checkpoint.open(file)) {
                    assertThat(planned.config().parameters())
                            .as(id)
                            .isEqualTo(made.config().parameters());
                    assertThat(planned.bytes()).as(id).isEqualTo(Layout.of(made).bytes());
                }
            }
        }
    }

    /** To the byte but for names; and refused before anything is done. */
    @Test
    void foretellsFoldersInOtherLayouts() throws IOException {
        Plan plan = plan("""
                stages:
                  - {id: groups, quantize: {format: int4_g32}}
                  - {id: packed, export: {format: compressed_tensors}}
                """);
        Path groups = folder.resolve("groups");
        Path packed = folder.resolve("packed");
        try (Checkpoint source = Checkpoint.open(model)) {
            QuantizeOptions options = QuantizeOptions.of(QuantizeOptions.Method.RTN, new IntegerGroup(4, 32, true));
            Quantization.run(source, options, Optional.empty(), groups, Progress.SILENT);
        }
        try (Checkpoint source = Checkpoint.open(groups)) {
            HuggingFaceExport.write(source, HuggingFaceLayout.COMPRESSED_TENSORS, packed, Progress.SILENT);
        }
        long bytes = stage(plan, "packed").bytes();
        assertThat(Files.size(packed.resolve("model.safetensors")) - bytes).isBetween(0L, 16_000L);
        assertThatThrownBy(() -> plan("""
                stages:
                  - {id: groups, quantize: {format: int4_g32}}
                  - {id: packed, export: {format: gptq}}
                """))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("packs 32 outputs together, but 'model.layers.0.mlp.gate_proj' has 172");
        assertThatThrownBy(() -> plan("stages: [{id: packed, from: model, export: {format: awq}}]"))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("the awq layout does not hold f32");
    }

    /** No file but our own folder has a place for kept columns; a plan says so before anything is computed. */
    @Test
    void keptColumnsAreCountedAndNotExported() throws IOException {
        Plan without = plan("stages: [{id: q4, quantize: {format: q8_0, pure: true}}]");
        Plan with = plan("stages: [{id: q4, quantize: {format: q8_0, pure: true, outliers: 0.01}}]");
        // Two columns of each projection of 172 inputs, one of the others', in two bytes a number and four a column.
        long columns = 5 * (64 + 32 + 32 + 64 + 172 + 172 + 2 * 64);
        assertThat(stage(with, "q4").bytes() - stage(without, "q4").bytes()).isEqualTo(2 * columns + 4 * 5 * 8);
        assertThatThrownBy(() -> plan("""
                stages:
                  - {id: q4, quantize: {format: q8_0, pure: true, outliers: 0.01}}
                  - {id: gguf, export: {format: gguf}}
                """))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("no exported file has a place for the columns that quantize.outliers keeps");
    }

    private static void export(Export export, Checkpoint source, Path file) throws IOException {
        switch (export.target()) {
            case GGUF -> {
                GgufOptions options = export.weights().map(GgufOptions::of).orElse(GgufOptions.asStored());
                GgufExport.write(source, options, file, Progress.SILENT);
            }
            case ONNX -> OnnxExport.write(source, OnnxOptions.DEFAULT, file, Progress.SILENT);
            case GPTQ, AWQ, COMPRESSED_TENSORS, BITSANDBYTES ->
                HuggingFaceExport.write(source, export.target().layout().orElseThrow(), file, Progress.SILENT);
        }
    }

    @Test
    void tellsWhatIsLearnedAndWhatItTakes() throws IOException {
        Plan plan = plan(STAGES);
        // 8 windows of 256 tokens a step: 10k tokens are 4.9 steps, so 5.
        assertThat(stage(plan, "heal").tokens()).hasValue(5 * 8 * 256);
        assertThat(stage(plan, "heal").memory()).isGreaterThan(stage(plan, "q4").memory());
        assertThat(plan.memory()).isEqualTo(stage(plan, "heal").memory());
        assertThat(plan.text())
                .contains("slim    model  prune ffn 128 layers 3")
                .contains("quantize rtn int8")
                .contains("0.01M tokens");
        JsonNode json = new ObjectMapper().readTree(plan.json());
        assertThat(json.path("model").path("parameters").asLong()).isEqualTo(260_032);
        assertThat(json.path("stages").path(0).path("intermediate_size").asInt())
                .isEqualTo(128);
        assertThat(json.path("stages")).hasSize(8);
    }

    @Test
    void saysWhichMatricesCannotHaveTheFormat() throws IOException {
        Plan plan = plan("stages: [{id: q4, quantize: {format: q4_0}}]");
        assertThat(stage(plan, "q4").notes())
                .containsExactly(
                        "7.446 bits a weight: q4_0 66.1 %, f16 21.2 %, q8_0 12.6 %",
                        "model.embed_tokens.weight has 64 columns, which blocks of 256 do not fill: q8_0 instead of q6_k",
                        "model.layers.*.mlp.down_proj.weight has 172 columns, which blocks of 32 do not fill: f16 instead"
                                + " of q4_0 (5 tensors)");
    }

    /** Llama-quantize's mix, but for what the recipe says of single tensors. */
    @Test
    void exceptionsGoBeforeTheMix() throws IOException {
        Plan plan = plan("""
                stages:
                  - {id: q5, quantize: {format: q5_0, tensors: {"*.up": q4_0, embedding: f16}}}
                  - {id: pure, from: model, quantize: {format: q4_0, pure: true}}
                """);
        assertThat(stage(plan, "q5").notes().getFirst())
                .contains("q5_0", "q4_0", "f16")
                .doesNotContain("q8_0");
        assertThat(stage(plan, "pure").notes().getFirst())
                .contains("q4_0", "f16")
                .doesNotContain("q8_0");
    }

    @Test
    void tellsEverythingThatCannotBeDoneToThisModel() throws IOException {
        assertThatThrownBy(() -> plan("""
                        stages:
                          - {id: slim, prune: {layers: 9}}
                          - {id: q4, from: model, quantize: {format: q4_0, method: gptq}}
                          - {id: never, from: slim, quantize: {format: q4_0}}
                          - {id: narrow, distill: {student: {heads: 3, kv_heads: 2}}}
                        """))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("stage 'slim': prune.layers: must keep at most the 5 there are, is 9")
                .hasMessageContaining("stage 'narrow': distill.student.kv_heads: must divide heads (3), is 2")
                .hasMessageEndingWith("\n2 mistakes; nothing was run");
    }

    @Test
    void writesSizesWithThreeDigits() {
        assertThat(PlanText.size(13_476_831_232L)).isEqualTo("13.5 GB");
        assertThat(PlanText.size(999)).isEqualTo("999 B");
        assertThat(PlanText.size(999_950)).isEqualTo("1.00 MB");
        assertThat(PlanText.size(9_994)).isEqualTo("9.99 kB");
    }
}
