package dev.demitasse.recipes.language;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.recipes.language.DataEntry.Portion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is said of recipes that cannot be meant. Each is a whole recipe but for the mistake. */
class RecipeMistakesTest {
    private static final String DATA = "data: {train: {builtin: stories}, test: {builtin: stories}}\n";

    @TempDir
    Path folder;

    private Recipe read(String yaml, String... overrides) throws IOException {
        Path file = folder.resolve("r.yaml");
        Files.writeString(file, yaml);
        return Recipe.read(file, List.of(overrides));
    }

    /** The mistakes, a line each; the temporary folder and the last line left out. */
    private List<String> mistakes(String yaml, String... overrides) throws IOException {
        try {
            read(yaml, overrides);
            return List.of();
        } catch (InvalidRequestException e) {
            List<String> lines =
                    e.getMessage().replace(folder + "/", "").lines().toList();
            assertThat(lines.getLast()).matches("(1 mistake|\\d+ mistakes); nothing was run");
            return lines.subList(0, lines.size() - 1);
        }
    }

    private List<String> stageMistakes(String stages, String... overrides) throws IOException {
        return mistakes("model: builtin:tale-teacher\n" + DATA + "stages:\n" + stages, overrides);
    }

    @Test
    void unknownKeysAndWrongTypes() throws IOException {
        assertThat(mistakes("""
                        sead: 1
                        seed: often
                        model: hf:ORG/NAME/x
                        data: stories
                        evaluate: {after: sometimes, metrics: [perplexity, klx], protocol: [default]}
                        stages:
                          - {id: q4, quantize: {format: int9, damping: 0.1MB, act_order: maybe}}
                          - {id: slim, prune: {ffn: 1.5, importants: activation}}
                          - {id: heal, distill: {tokens: 1.5, batch: 0, loss: {kl: 0, ce: 0, hidden: 0}}}
                        """))
                .containsExactly(
                        "r.yaml:1: sead: there is no such key; did you mean seed?",
                        "r.yaml:2: seed: must be a whole number such as 200 or 2M, is 'often'",
                        "r.yaml:3: model: hf:ORG/NAME/x: is not a name that a model on the hub can have; write hf:ORG/NAME"
                                + " or hf:ORG/NAME@REVISION",
                        "r.yaml:4: data: must be a mapping with train, validation, calibration, test, is 'stories'",
                        "r.yaml:4: data: has no calibration, which stage 'slim' (prune) reads",
                        "r.yaml:4: data: has no train, which stage 'heal' (distill) reads",
                        "r.yaml:4: data: has no test, which models are measured with; add it, or say evaluate: {after:"
                                + " never}",
                        "r.yaml:5: evaluate.metrics: 'klx' is not a metric; did you mean kl?",
                        "r.yaml:5: evaluate.after: 'sometimes' is not a time; there is: every_stage, end, never",
                        "r.yaml:5: evaluate.protocol: must be one value, is a list",
                        "r.yaml:7: quantize.format: 'int9' is not a format; did you mean int8?",
                        "r.yaml:7: quantize.damping: must be a number, is '0.1MB'",
                        "r.yaml:7: quantize.act_order: must be true or false, is maybe",
                        "r.yaml:8: prune.importants: there is no such key; did you mean importance?",
                        "r.yaml:8: prune.ffn: must be a fraction above 0, at most 1, is 1.5",
                        "r.yaml:9: distill.loss: all weights are 0; at least one must be above",
                        "r.yaml:9: distill.tokens: must be a whole number such as 200 or 2M, is 1.5",
                        "r.yaml:9: distill.batch: must be a whole number, at least 1, is 0");
    }

    @Test
    void importanceMatricesAndExceptions() throws IOException {
        assertThat(stageMistakes("""
                        - {id: a, quantize: {format: q4_0, method: importance, imatrix: none.gguf}}
                        - {id: b, from: model, quantize: {format: q4_0, method: gptq, imatrix: r.yaml}}
                        - {id: c, from: model, quantize: {format: q4_0, tensors: [q8_0]}}
                        - {id: d, from: model, quantize: {format: q4_0, tensors: {"*.up": q8_1}}}
                        """))
                .satisfiesExactly(
                        none -> assertThat(none).startsWith("r.yaml:4: quantize.imatrix: there is no 'none.gguf'"),
                        gptq -> assertThat(gptq).startsWith("r.yaml:5: quantize.imatrix: is for method importance"),
                        list -> assertThat(list).isEqualTo("r.yaml:6: quantize.tensors: must be a mapping, is a list"),
                        q81 -> assertThat(q81)
                                .startsWith("r.yaml:7: quantize.tensors: 'q8_1' is not a format; did you"));
    }

    @Test
    void stagesThatDoNotFollow() throws IOException {
        assertThat(stageMistakes("""
                        - {id: q4, quantize: {format: q4_0}}
                        - {id: q4, from: model, quantize: {format: int8}}
                        - {id: a, from: heel, prune: {ffn: 0.5}}
                        - {id: heal, from: later, distill: {teacher: q8, tokens: 1M}}
                        - {id: q8, from: model, quantize: {method: smoothquant, format: q8_0}}
                        - {id: later, from: model, quantize: {format: int8}}
                        - {id: gguf, export: {format: gguf}}
                        - {id: again, export: {format: onnx, file: ../x.onnx}}
                        - {id: model, from: q8, export: {format: onnx, weights: f16}}
                        - {id: nothing}
                        - {id: both, prune: {ffn: 0.5}, export: {format: gguf}}
                        - {id: new, from: model, pretrain: {heads: 5}}
                        - {id: blocks, from: model, quantize: {format: q8_0}}
                        - {id: good, export: {format: onnx}}
                        - {id: nested, from: model, quantize: {format: q4_k}}
                        - {id: bad, export: {format: onnx}}
                        - {id: floats, from: nested, export: {format: onnx, weights: f32}}
                        - {id: fixed, from: nested, export: {format: gguf, activations: static}}
                        - {id: ranged, from: blocks, export: {format: onnx, ranges: entropy}}
                        - {id: groups, from: model, quantize: {format: int3_g128}}
                        - {id: packed, export: {format: gptq, weights: f16}}
                        - {id: four, from: groups, export: {format: awq}}
                        - {id: float, from: new, export: {format: compressed_tensors}}
                        - {id: again2, from: packed, export: {format: bitsandbytes}}
                        - {id: unknown, from: model, export: {format: gptq, file: ../up}}
                        """))
                .containsExactly(
                        "r.yaml:5: stage.id: 'q4' stands twice; each stage has an id of its own",
                        "r.yaml:6: stage.from: there is no stage 'heel'; there is: model, q4",
                        "r.yaml:7: distill.teacher: 'q8' is not an earlier stage; put it above this one",
                        "r.yaml:7: stage.from: 'later' is not an earlier stage; put it above this one",
                        "r.yaml:8: quantize.format: smoothquant is for int8; for block formats use gptq or rtn",
                        "r.yaml:10: stage.from: 'later' has int8 weights; this stage needs float weights or weights in a"
                                + " block format",
                        "r.yaml:11: export.file: must be a plain file name, is '../x.onnx'",
                        "r.yaml:11: stage.from: 'gguf' has an exported file; this stage needs weights",
                        "r.yaml:12: stage.id: 'model' is the recipe's model; choose another",
                        "r.yaml:12: export.weights: can only be f32 in an onnx file, which otherwise holds what the checkpoint"
                                + " holds",
                        "r.yaml:13: stage: needs one of pretrain, prune, distill, quantize, export",
                        "r.yaml:14: stage.export: stands beside prune; there can be one of pretrain, prune, distill,"
                                + " quantize, export",
                        "r.yaml:15: pretrain.heads: must divide hidden_size (256) into heads of even width, is 5",
                        "r.yaml:15: pretrain.kv_heads: must divide heads (5), is 2",
                        "r.yaml:15: stage.from: does not go with pretrain; it starts from nothing",
                        "r.yaml:19: stage.from: 'nested' has q4_k weights, which no operator of ONNX multiplies by; quantize to"
                                + " int8, q8_0, q4_0 or an int4 group format, or add weights: f32 to the export",
                        "r.yaml:21: export.activations: is for onnx",
                        "r.yaml:22: export.ranges: is for static activations",
                        "r.yaml:24: export.weights: is for gguf and onnx; a folder has weights as they were quantized",
                        "r.yaml:25: stage.from: 'groups' has int3_g128 weights, which the awq layout does not hold; quantize"
                                + " to an int4 group format such as int4_g128_asym",
                        "r.yaml:28: export.file: must be a plain file name, is '../up'");
    }

    @Test
    void gates() throws IOException {
        assertThat(stageMistakes("""
                        - {id: a, prune: {ffn: 0.5}, gate: {kl: {max: 0.1, against: b}, size: {max: 90MB}, top2: {}}}
                        - {id: b, prune: {ffn: 0.5}, gate: {kl: {}, perplexity: {max: 9, against: a}, top1: {min: 2, max: 1}}}
                        """))
                .containsExactly(
                        "r.yaml:4: gate.top2: there is no such key; did you mean top1?",
                        "r.yaml:4: gate.kl.against: 'b' is not an earlier stage; put it above this one",
                        "r.yaml:5: gate.perplexity.against: perplexity compares with nothing; perplexity_ratio may do",
                        "r.yaml:5: gate.kl: needs min, max or both",
                        "r.yaml:5: gate.top1.min: is above max; nothing passes");
        Gate size = read("model: builtin:tale-teacher\n" + DATA
                        + "stages: [{id: a, prune: {ffn: 0.5}, gate: {size: {max: 90MB}}}]")
                .stage("a")
                .gates()
                .getFirst();
        assertThat(size).hasToString("size at most 90000000");
        assertThat(size.passes(90e6)).isTrue();
        assertThat(size.passes(90e6 + 1)).isFalse();
        assertThat(size.passes(Double.NaN)).isFalse();
    }

    @Test
    void overrides() throws IOException {
        assertThat(stageMistakes(
                        "- {id: q4, quantize: {format: q4_0}}",
                        "stages.q5.quantize.format=q8_0",
                        "seed.x=1",
                        "nonsense",
                        "stages.q4.quantize.formt=q8_0",
                        "data.train.length=-3",
                        "data.test=nowhere.txt"))
                .containsExactly(
                        "--set stages.q5.quantize.format=q8_0: 'stages' has no 'q5'; did you mean q4?",
                        "--set seed.x=1: seed: must be one value, is a mapping",
                        "--set nonsense: must be key=value, as data.test.length=256",
                        "--set stages.q4.quantize.formt=q8_0: quantize.formt: there is no such key; did you mean format?",
                        "--set data.train.length=-3: data.train.length: must be a whole number, at least 2, is -3",
                        "--set data.test=nowhere.txt: data.test.text: there is no 'nowhere.txt' (looked in "
                                + Path.of("").toAbsolutePath() + ")");
    }

    /** How windows of a measurement begin is its protocol's matter. */
    @Test
    void onlyCalibrationBeginsItsWindows() throws IOException {
        assertThat(mistakes("model: builtin:tale-teacher\ndata: {test: {builtin: stories, begin: all}}\n"
                        + "stages:\n  - {id: q4, quantize: {format: q4_0}}\n"))
                .containsExactly(
                        "r.yaml:2: data.test.begin: is for calibration; a protocol says how windows are measured");
    }

    /** Where two entries read one source, each has documents of its own; an overlap by hand is refused. */
    @Test
    void heldOutTextIsNeverLearnedFrom() throws IOException {
        String stages = "stages: [{id: a, pretrain: {steps: 1}}]";
        Data shared = read(DATA + stages).data();
        assertThat(shared.train().orElseThrow().portions()).isEqualTo(Set.of(Portion.TRAIN));
        assertThat(shared.validation().orElseThrow().portions()).isEqualTo(Set.of(Portion.VALIDATION));
        assertThat(shared.calibration().orElseThrow().portions()).isEqualTo(Set.of(Portion.TRAIN));
        assertThat(shared.test().orElseThrow().portions()).isEqualTo(Set.of(Portion.TEST));

        Files.writeString(folder.resolve("other.txt"), "one<|endoftext|>two");
        Data apart = read("data: {train: {builtin: stories}, test: other.txt}\n" + stages)
                .data();
        assertThat(apart.train().orElseThrow().portions()).isEqualTo(Set.of(Portion.TRAIN, Portion.TEST));
        assertThat(apart.test().orElseThrow().portions()).hasSize(3);
        assertThat(apart.test().orElseThrow().source())
                .isEqualTo(new DataEntry.Source.Text(folder.resolve("other.txt"), "<|endoftext|>"));

        assertThat(mistakes(
                        "data: {train: {builtin: stories, split: [train, test]}, test: {builtin: stories, seed: 9}}\n"
                                + stages))
                .containsExactly(
                        "r.yaml:1: data.test: reads the same documents as data.train (test); give each a split of"
                                + " its own");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a: &x [1]\nb: *x",
                "a: [[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]",
                "a: 1\na: 2",
                "a: 1\n---\nb: 2",
                "a: [1",
                "\t- x",
                "a: !!java.net.URL [http://localhost]",
                "just words",
                "- a\n- b",
                "",
                "\u0000"
            })
    void whatIsNotARecipe(String yaml) throws IOException {
        assertThat(mistakes(yaml)).isNotEmpty().allMatch(line -> line.startsWith("r.yaml:"));
    }

    @Test
    void filesThatAreNotThere() throws IOException {
        assertThatThrownBy(() -> Recipe.read(folder.resolve("none.yaml"), List.of()))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("none.yaml: there is no such file");
        Files.write(folder.resolve("binary.yaml"), new byte[] {(byte) 0xff, (byte) 0xfe, 0});
        assertThatThrownBy(() -> Recipe.read(folder.resolve("binary.yaml"), List.of()))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("is not UTF-8 text");
        Files.createDirectory(folder.resolve("empty"));
        assertThat(mistakes("model: empty\n" + DATA + "stages: [{id: a, prune: {ffn: 0.5}}]"))
                .containsExactly("r.yaml:1: model: the folder 'empty' has no config.json; name a checkpoint folder");
    }

    @ParameterizedTest
    @CsvSource({"temprature,temperature,1", "q4_7,q4_0,1", "kl,lk,1", "'',abc,3", "same,same,0"})
    void editDistance(String from, String to, int edits) {
        assertThat(Suggestion.distance(from, to)).isEqualTo(edits);
    }
}
