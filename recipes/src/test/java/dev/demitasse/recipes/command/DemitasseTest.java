package dev.demitasse.recipes.command;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a person sees: output, errors, exit codes. */
class DemitasseTest {
    @TempDir
    private Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(Object... arguments) {
        return Demitasse.commandLine()
                .setOut(new PrintWriter(out))
                .setErr(new PrintWriter(err))
                .execute(Arrays.stream(arguments).map(Object::toString).toArray(String[]::new));
    }

    @Test
    void modelsOfTheHubAreNotFetchedOffline() {
        assertThat(run("inspect", "hf:nobody/such-a-model-is-in-no-cache", "--offline"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("hf:nobody/such-a-model-is-in-no-cache", "--offline", "HF_HUB_CACHE");
        assertThat(run("inspect", "hf:a/b/c")).isEqualTo(2);
        assertThat(err.toString()).contains("hf:ORG/NAME");
    }

    @Test
    void everyCommandTeachesItself() {
        assertThat(run("--help")).isZero();
        assertThat(out.toString()).contains("run", "plan", "eval", "generate", "verify", "inspect", "Exit codes");
        for (String command : Demitasse.commandLine().getSubcommands().keySet()) {
            assertThat(run("help", command)).isZero();
        }
    }

    /** The text is karpathy's llama2.c's own, greedy from bos for 200 steps. */
    @Test
    void stories260KWritesWhatItsAuthorsProgramWrites() throws IOException {
        Path model = SharedData.require("data/models/stories260K");

        assertThat(run("generate", model)).isZero();
        assertThat(out.toString()).isEqualTo(Files.readString(model.resolve("expected_stdout.txt")));
    }

    /** Whatever proposes it; and with keys and values rounded to float16, which this model's do not mind. */
    @Test
    void aDraftedTextIsTheSame() throws IOException {
        Path model = SharedData.require("data/models/stories260K");
        String expected = Files.readString(model.resolve("expected_stdout.txt"));
        for (String[] options : new String[][] {
            {"--draft", model.toString()}, {"--prompt-lookup"}, {"--cache-type", "f16", "--threads", "1", "--pin"}
        }) {
            out.getBuffer().setLength(0);
            assertThat(run(with(options, "generate", model))).isZero();
            assertThat(out.toString()).isEqualTo(expected);
        }
        assertThat(run("generate", model, "--prompt-lookup", "--draft", model)).isEqualTo(2);
        assertThat(err.toString()).contains("--prompt-lookup");
    }

    /** The template writes the conversation, the model goes on: what it answers is what it writes after that text. */
    @Test
    void answersByTheModelsChatTemplate() throws IOException {
        Path model = SharedData.require("data/models/stories260K");
        try (Stream<Path> files = Files.list(model)) {
            for (Path file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName()));
            }
        }
        assertThat(run("generate", folder, "--prompt", "Lily", "--chat")).isEqualTo(2);
        assertThat(err.toString()).contains("chat template");
        Files.writeString(
                folder.resolve("chat_template.jinja"),
                "{{ bos_token }}{% for m in messages %}{{ m.content | trim }} {% endfor %}had");
        assertThat(run("generate", folder, "--chat", "--system", "Once ", "--prompt", "Lily", "-n", "20"))
                .isZero();
        String answer = out.toString();
        assertThat(run("generate", folder, "--prompt", "Once Lily had", "-n", "20"))
                .isZero();
        assertThat(out).hasToString(answer + "Once Lily had" + answer);
        assertThat(run("generate", folder, "--system", "Once")).isEqualTo(2);
    }

    /** Against transformers; tolerances of the golden README. */
    @ParameterizedTest
    @MethodSource("dev.demitasse.model.reference.SharedData#goldens")
    void everyEngineAgreesWithTransformers(String name) {
        assertThat(run("verify", SharedData.require("golden/" + name)))
                .as(out + " " + err)
                .isZero();
        assertThat(out.toString()).contains("cpu", "trainer", " checks, 0 failed");
        if (!name.contains("bert")) {
            assertThat(out.toString()).contains("onnx");
        }
    }

    /** Without a tokenizer's help; a table for people, a tree for machines. */
    @Test
    void timesModels() throws IOException {
        Path model = SharedData.require("data/models/stories260K");
        String[] small = {"-p", "8", "-n", "4", "-s", "8", "-t", "1,2", "-r", "2", "-w", "0"};

        assertThat(run(with(small, "bench", model))).isZero();
        assertThat(out.toString().lines()).hasSize(2 + 6).allMatch(line -> line.matches("\\|.*\\|"));
        assertThat(out.toString()).contains("pp8", "tg4", "ppl8");
        out.getBuffer().setLength(0);
        assertThat(run(with(small, "bench", "--json", model))).isZero();
        JsonNode results = new ObjectMapper().readTree(out.toString()).get("results");
        assertThat(results).hasSize(6);
        assertThat(results.get(1).at("/tokens_per_second/median").doubleValue()).isPositive();
        assertThat(results.get(1).at("/share_of_memory").doubleValue()).isPositive();

        assertThat(run("bench", model, "-p", "0", "-n", "0", "-s", "0")).isEqualTo(2);
        assertThat(run("bench", model, "-t", "0")).isEqualTo(2);
        assertThat(run("generate", model, "--threads", "0")).isEqualTo(2);
        assertThat(err.toString()).contains("nothing to time", "threads");
    }

    private static Object[] with(String[] last, Object... first) {
        return Stream.concat(Arrays.stream(first), Arrays.stream(last)).toArray();
    }

    /** To GGUF and back: the same story, from a folder that holds what the first one held. */
    @Test
    void convertsToGgufAndBack() throws IOException {
        Path model = SharedData.require("data/models/stories260K");
        Path file = folder.resolve("stories.gguf");
        Path back = folder.resolve("back");
        assertThat(run("convert", model, file)).isZero();
        assertThat(run("convert", file, back)).isZero();
        assertThat(run("convert", model, back)).isEqualTo(2);
        assertThat(err.toString()).contains("is there already");
        assertThat(run("convert", model, folder.resolve("x.gguf"), "--format", "q9"))
                .isEqualTo(2);
        out.getBuffer().setLength(0);
        assertThat(run("generate", back)).isZero();
        assertThat(out.toString()).isEqualTo(Files.readString(model.resolve("expected_stdout.txt")));
    }

    /** Float weights are in no quantizer's layout, and files are none. */
    @Test
    void convertsToALayoutWhatIsQuantizedAlone() throws IOException {
        Path model = SharedData.require("data/models/stories260K");
        assertThat(run("convert", model, folder.resolve("x"), "--layout", "gptq"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("the gptq layout does not hold f32");
        assertThat(run("convert", model, folder.resolve("x"), "--layout", "qqq"))
                .isEqualTo(2);
        assertThat(run("convert", model, folder.resolve("x.gguf"), "--layout", "gptq"))
                .isEqualTo(2);
        assertThat(folder.resolve("x")).doesNotExist();
    }

    /** The reference runs once; what was kept of it, whole or in part, tells the same of a model as it would itself. */
    @Test
    void comparesWithWhatWasKeptOfAReference() throws IOException {
        Path model = SharedData.require("data/models/stories260K");
        Path rounded = folder.resolve("rounded.gguf");
        assertThat(run("convert", model, rounded, "--format", "q8_0")).isZero();
        Object[] text = {"--stories", "3", "--length", "64", "--samples", "4"};
        String live = evaluate(text, rounded, "--against", model);
        assertThat(live).contains("Mean KLD", "99.0 % KLD", "RMS Δp", "Same top p", "PPL(Q)/PPL(base)");
        Path file = folder.resolve("model.kept");
        assertThat(evaluate(text, rounded, "--against", model, "--save-reference", file))
                .isEqualTo(live);
        assertThat(evaluate(text, rounded, "--reference", file)).isEqualTo(live);
        Path own = folder.resolve("own.kept");
        assertThat(evaluate(text, model, "--save-reference", own)).doesNotContain("KLD");
        JsonNode figures = new ObjectMapper().readTree(evaluate(text, rounded, "--reference", own, "--json"));
        double mean = figures.path("kl").path("value").asDouble(-1);
        assertThat(figures.path("kl").path("percentiles").path("99.9").asDouble(-1))
                .isGreaterThan(mean);
        assertThat(live).contains(String.format(Locale.ROOT, "%.6f", mean));
        assertThat(figures.path("perplexity_ratio").path("upper_95").asDouble(-1))
                .isGreaterThan(figures.path("perplexity_ratio").path("value").asDouble(0));
        assertThat(run("eval", rounded, "--stories", "4", "--length", "64", "--reference", own))
                .isEqualTo(2);
        assertThat(err.toString()).contains("another text");
        assertThat(run("eval", rounded, "--stories", "3", "--reference", own, "--against", model))
                .isEqualTo(2);
        assertThat(run("eval", rounded, "--stories", "3", "--length", "64", "--reference", rounded))
                .isEqualTo(3);
    }

    @Test
    void tellsWhatRoundingEachPartCosts() throws IOException {
        Path model = SharedData.require("data/models/stories260K");
        Object[] asked = {"sensitivity", model, "--stories", "2", "--length", "32", "--samples", "2", "--by", "role"};
        Object[] withFormats = Stream.concat(Stream.of(asked), Stream.of("--formats", "q4_0,q6_k,int8"))
                .toArray();
        assertThat(run(withFormats)).isZero();
        assertThat(out.toString())
                .contains("attention output", "everything", "the parts' sum", "nats per token")
                .contains("q6_k: 36 of 36 tensors have rows that its blocks of 256 do not fill");
        out.getBuffer().setLength(0);
        assertThat(run(Stream.concat(Stream.of(withFormats), Stream.of("--measure", "output", "--json"))
                        .toArray()))
                .isZero();
        JsonNode query =
                new ObjectMapper().readTree(out.toString()).path("parts").path(1);
        assertThat(query.path("role").asText()).isEqualTo("query");
        assertThat(query.path("formats").path("q4_0").path("bits_per_weight").asDouble(0))
                .isEqualTo(4.5);
        assertThat(query.path("formats").path("q4_0").path("output_error").asDouble(0))
                .isGreaterThan(
                        query.path("formats").path("int8").path("output_error").asDouble(1));
        assertThat(run(Stream.concat(Stream.of(asked), Stream.of("--formats", "q4_7"))
                        .toArray()))
                .isEqualTo(2);
        assertThat(err.toString()).contains("q4_7");
    }

    private String evaluate(Object[] text, Object... arguments) {
        out.getBuffer().setLength(0);
        Stream<Object> all = Stream.of(Stream.of((Object) "eval"), Arrays.stream(arguments), Arrays.stream(text))
                .flatMap(each -> each);
        assertThat(run(all.toArray())).as(err.toString()).isZero();
        return out.toString();
    }

    /** As a shell's pattern names them: what holds no reference outputs is passed over, unless nothing is left. */
    @Test
    void verifyPassesOverWhatHasNoReferenceOutputs() {
        Path golden = SharedData.require("golden");
        assertThat(run("verify", golden.resolve("README.md"), golden.resolve("llama_tied"), golden.resolve("quant")))
                .isZero();
        assertThat(out.toString()).contains("4 checks, 0 failed");
        assertThat(err.toString()).contains("README.md", "quant");
        assertThat(run("verify", golden.resolve("README.md"), golden.resolve("quant")))
                .isEqualTo(2);
    }

    @Test
    void aCheckpointThatDisagreesFailsTheCheck() throws IOException {
        Path golden = SharedData.require("golden/llama");
        for (String file : new String[] {"config.json", "model.safetensors", "golden.safetensors"}) {
            Files.copy(golden.resolve(file), folder.resolve(file));
        }
        Path config = folder.resolve("config.json");
        Files.writeString(config, Files.readString(config).replace("10000.0", "20000.0"));

        assertThat(run("verify", folder)).isEqualTo(1);
        assertThat(out.toString()).contains("FAILED");
    }

    @Test
    void threeMistakesInARecipeAreToldAtOnce() throws IOException {
        Path recipe = folder.resolve("mine.yaml");
        Files.writeString(recipe, """
                name: mine
                model: builtin:nonesuch
                data:
                  test: {builtin: stories, length: 64}
                  calibration: {builtin: stories, length: 64}
                  train: {builtin: stories, length: 64}
                stages:
                  - id: q4
                    quantize: {method: gptq, format: q4_7}
                  - id: heal
                    from: model
                    distill: {temperature: -2}
                """);

        assertThat(run("run", recipe)).isEqualTo(2);
        assertThat(err.toString())
                .contains("mine.yaml:2:", "nonesuch", "mine.yaml:9:", "q4_7", "did you mean q4_0", "mine.yaml:12:")
                .contains("3 mistakes; nothing was run");
    }

    @Test
    void aTruncatedCheckpointIsABrokenFile() throws IOException {
        Path golden = SharedData.require("golden/llama");
        Files.copy(golden.resolve("config.json"), folder.resolve("config.json"));
        byte[] whole = Files.readAllBytes(golden.resolve("model.safetensors"));
        Files.write(folder.resolve("model.safetensors"), Arrays.copyOf(whole, whole.length / 2));

        assertThat(run("inspect", folder)).isEqualTo(3);
        assertThat(err.toString()).contains("model.safetensors", "tensor", "fetch it again");
    }

    @Test
    void aMissingModelIsTheUsersMistake() {
        assertThat(run("inspect", folder.resolve("nothing"))).isEqualTo(2);
        assertThat(run("generate", "builtin:nonesuch")).isEqualTo(2);
        assertThat(err.toString()).contains("there is no such file or folder", "there is: tale-teacher");
    }

    @Test
    void anUnknownCommandIsTheUsersMistake() {
        assertThat(run("compres")).isEqualTo(2);
    }
}
