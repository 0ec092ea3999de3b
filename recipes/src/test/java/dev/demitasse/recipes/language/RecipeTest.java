package dev.demitasse.recipes.language;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.quantize.QuantizeOptions;
import dev.demitasse.quantize.mix.Mix;
import dev.demitasse.quantize.mix.Preset;
import dev.demitasse.recipes.language.DataEntry.Portion;
import dev.demitasse.recipes.language.DataEntry.Source;
import dev.demitasse.recipes.language.Prune.Keep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What recipes read to, and what is said of those that cannot be read. The sample recipe is the design document's. */
class RecipeTest {
    private static final String SAMPLE = """
            name: smollm2-135m-cpu
            seed: 42
            model: ./models/SmolLM2-135M              # a checkpoint folder
            data:
              train: {text: data/web.txt, length: 512}
              calibration: {jsonl: data/chat.jsonl, field: text, samples: 128, length: 512}
              test: {text: data/wiki.test.raw, length: 512}
            evaluate: {after: every_stage, metrics: [perplexity, kl, top1, size, speed]}
            stages:
              - id: slim
                prune: {method: width, ffn: 0.75, importance: activation}
              - id: heal
                distill: {teacher: model, loss: {kl: 1.0, ce: 0.2, hidden: 0.1}, temperature: 2.0, tokens: 2M, learning_rate: 3e-4}
                gate: {perplexity_ratio: {max: 1.10, against: model}}
              - id: q4
                from: heal
                quantize: {method: gptq, format: q4_0}
                gate: {kl: {max: 0.05, against: heal}}
              - id: int8
                from: heal
                quantize: {method: smoothquant, format: int8, alpha: 0.5}
              - {id: gguf, from: q4, export: {format: gguf}}
              - {id: onnx, from: int8, export: {format: onnx}}
            """;

    @TempDir
    Path folder;

    @BeforeEach
    void writeWhatTheSampleNames() throws IOException {
        Files.createDirectories(folder.resolve("models/SmolLM2-135M"));
        Files.writeString(folder.resolve("models/SmolLM2-135M/config.json"), "{}");
        Files.createDirectories(folder.resolve("data"));
        for (String name : List.of("web.txt", "chat.jsonl", "wiki.test.raw")) {
            Files.writeString(folder.resolve("data").resolve(name), "text");
        }
    }

    private Recipe read(String yaml, String... overrides) throws IOException {
        Path file = folder.resolve("sample.yaml");
        Files.writeString(file, yaml);
        return Recipe.read(file, List.of(overrides));
    }

    /** The message of the mistakes, the temporary folder left out. */
    private String mistakes(String yaml, String... overrides) {
        try {
            read(yaml, overrides);
            return "no mistake";
        } catch (InvalidRequestException e) {
            return e.getMessage().replace(folder + "/", "");
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static String sample(String target, String replacement) {
        assertThat(SAMPLE).contains(target);
        return SAMPLE.replace(target, replacement);
    }

    @Test
    void readsTheSample() throws IOException {
        Recipe recipe = read(SAMPLE);
        assertThat(recipe.name()).isEqualTo("smollm2-135m-cpu");
        assertThat(recipe.model()).contains(new ModelReference.Local(folder.resolve("models/SmolLM2-135M")));
        assertThat(recipe.stages()).extracting(Stage::id).containsExactly("slim", "heal", "q4", "int8", "gguf", "onnx");
        assertThat(recipe.stages())
                .extracting(stage -> stage.from().orElseThrow())
                .containsExactly("model", "slim", "heal", "heal", "q4", "int8");
        assertThat(recipe.stage("slim").work())
                .isEqualTo(new Prune(
                        new Keep.Share(0.75),
                        new Keep.Share(1),
                        new Keep.Share(1),
                        new Keep.Share(1),
                        Prune.Importance.ACTIVATION,
                        Optional.empty()));
        Distill heal = (Distill) recipe.stage("heal").work();
        assertThat(heal.loss()).isEqualTo(new Distill.Loss(1.0, 0.2, 0.1));
        assertThat(heal.training().tokens()).contains(2_000_000L);
        assertThat(heal.training().learningRate()).isEqualTo(3e-4);
        assertThat(recipe.stage("heal").gates())
                .containsExactly(new Gate(
                        Gate.Measure.PERPLEXITY_RATIO,
                        OptionalDouble.empty(),
                        OptionalDouble.of(1.1),
                        Optional.of("model")));
        assertThat(((Quantize) recipe.stage("q4").work()).mix()).isEqualTo(Mix.of(Preset.Q4_0));
        assertThat(((Quantize) recipe.stage("int8").work()).mix()).isEqualTo(Mix.of(ScalarFormat.I8));
    }

    /** The three mistakes of the style guide's sample, with the formats of today. */
    @Test
    void tellsAllMistakesAtOnceWithTheirLines() {
        String yaml = """
                name: mine
                seed: 1
                model: builtin:nonesuch
                data: {train: {builtin: stories}, test: {builtin: stories}}
                stages:
                  - id: q4
                    quantize:
                      method: gptq
                      format: q4_7
                  - id: heal
                    from: model
                    distill: {temperature: -2}
                """;
        assertThat(mistakes(yaml)).isEqualTo("""
                        sample.yaml:3: model: builtin 'nonesuch' does not exist; there is: tale-teacher
                        sample.yaml:9: quantize.format: 'q4_7' is not a format; did you mean q4_0, q4_1 or q4_k?
                        sample.yaml:12: distill.temperature: must be above 0, is -2
                        3 mistakes; nothing was run""");
    }

    @Test
    void theLockReadsToTheSameRecipe() throws IOException {
        Recipe recipe = read(SAMPLE, "stages.heal.distill.steps=7", "data.test.samples=9");
        assertThat(((Distill) recipe.stage("heal").work()).training().steps()).contains(7L);
        Path elsewhere = Files.createDirectories(folder.resolve("run/of")).resolve("recipe.lock.yaml");
        Files.writeString(elsewhere, recipe.lock());
        Recipe again = Recipe.read(elsewhere, List.of());
        assertThat(again.lock()).isEqualTo(recipe.lock());
        assertThat(again).usingRecursiveComparison().ignoringFields("file").isEqualTo(recipe);
    }

    /** A word, a wildcard, a stage's id, an index; what is set stands beside nothing of the source it replaces. */
    @Test
    void overridesReachEveryKey() throws IOException {
        Path other = Files.writeString(folder.resolve("other.txt"), "text");
        Recipe recipe = read(
                SAMPLE, "data.*=" + other, "data.*.length=64", "stages.5.id=last", "stages.q4.quantize.format=q8_0");
        assertThat(recipe.data().entries().values())
                .allSatisfy(entry -> assertThat(entry.source()).isEqualTo(new Source.Text(other, "\n\n")))
                .allSatisfy(entry -> assertThat(entry.length()).isEqualTo(64));
        assertThat(recipe.data().calibration().orElseThrow().samples()).contains(128);
        assertThat(recipe.data().train().orElseThrow().portions()).containsExactly(Portion.TRAIN);
        assertThat(recipe.data().calibration().orElseThrow().portions()).containsExactly(Portion.TRAIN);
        assertThat(recipe.data().validation().orElseThrow().portions()).containsExactly(Portion.VALIDATION);
        assertThat(recipe.data().test().orElseThrow().portions()).containsExactly(Portion.TEST);
        assertThat(recipe.stages().getLast().id()).isEqualTo("last");
    }

    /** Calibration sees both beginnings that a model meets, unless the recipe says otherwise; other texts stay as they are. */
    @Test
    void calibrationBeginsEveryOtherWindow() throws IOException {
        Recipe recipe = read(SAMPLE);
        assertThat(recipe.data().calibration().orElseThrow().begin()).isEqualTo(DataEntry.Begin.ALTERNATE);
        assertThat(recipe.data().test().orElseThrow().begin()).isEqualTo(DataEntry.Begin.TEXT);
        assertThat(read(SAMPLE, "data.calibration.begin=all")
                        .data()
                        .calibration()
                        .orElseThrow()
                        .begin())
                .isEqualTo(DataEntry.Begin.ALL);
    }

    /** What a recipe leaves out is what the quantizer itself would choose. */
    @Test
    void defaultsOfQuantizeAreTheQuantizers() throws IOException {
        QuantizeOptions usual = QuantizeOptions.of(QuantizeOptions.Method.GPTQ, new Q4_0());
        Quantize written = (Quantize) read(SAMPLE).stage("q4").work();
        assertThat(written)
                .isEqualTo(new Quantize(
                        Quantize.Method.GPTQ,
                        Mix.of(Preset.Q4_0),
                        Optional.empty(),
                        usual.damping(),
                        usual.actOrder(),
                        usual.floatTarget(),
                        usual.refinements(),
                        usual.smoothing(),
                        Quantize.Transform.NONE,
                        Optional.empty(),
                        usual.outliers(),
                        usual.clip(),
                        usual.steps()));
    }
}
