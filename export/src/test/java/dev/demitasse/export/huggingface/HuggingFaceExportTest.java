package dev.demitasse.export.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.export.ExportReport;
import dev.demitasse.export.ExportReport.Change;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.format.NF4;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.packed.AwqLayout;
import dev.demitasse.model.packed.GptqLayout;
import dev.demitasse.model.packed.GroupLayout;
import dev.demitasse.model.packed.PackQuantizedLayout;
import dev.demitasse.model.packed.PlainDecoders;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.CheckpointWriter;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What is written is what was quantized: by {@link PlainDecoders}, which know the layouts from the other tools' code, by
 * plain loops, and by opening the folder again.
 */
class HuggingFaceExportTest {
    @TempDir
    Path folder;

    private static TensorFormat named(String id) {
        return TensorFormat.all().stream()
                .filter(format -> format.weightName().equals(id))
                .findFirst()
                .orElseThrow();
    }

    /** A checkpoint of {@code model} whose projections are rounded to nearest, where they fit. */
    private Path quantized(String model, Function<TensorKey, TensorFormat> wanted) throws IOException {
        Path target = folder.resolve("quantized");
        try (Checkpoint source = Checkpoint.open(SharedData.require(model))) {
            Function<TensorKey, TensorFormat> format = key -> key.part() == Part.WEIGHT
                            && key.role().projection()
                            && wanted.apply(key).fits(source.config().columns(key))
                    ? wanted.apply(key)
                    : ScalarFormat.F32;
            try (CheckpointWriter writer =
                    CheckpointWriter.create(target, source.config(), source.tokenizer(), format)) {
                for (TensorKey key : source.config().tensors()) {
                    if (format.apply(key).rowScaled()) {
                        writeScaled(writer, key, source.tensor(key), format.apply(key));
                    } else {
                        writer.write(key, source.tensor(key));
                    }
                }
                writer.commit();
            }
        }
        return target;
    }

    private static void writeScaled(CheckpointWriter writer, TensorKey key, Tensor weight, TensorFormat format)
            throws IOException {
        Tensor codes = Tensor.allocate("codes", format, weight.shape());
        float[] scales = new float[weight.rows()];
        float[] row = new float[weight.columns()];
        for (int i = 0; i < scales.length; i++) {
            weight.readRow(i, row, 0);
            for (float value : row) {
                scales[i] = Math.max(scales[i], Math.abs(value) / format.largest());
            }
            for (int j = 0; j < row.length; j++) {
                row[j] /= scales[i];
            }
            codes.writeRow(i, row, 0);
        }
        writer.write(key, codes);
        writer.write(key.part(Part.SCALE), Tensor.ofFloats("scales", scales, scales.length));
    }

    private ExportReport export(Path source, HuggingFaceLayout layout) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(source)) {
            return HuggingFaceExport.write(checkpoint, layout, folder.resolve("exported"), Progress.SILENT);
        }
    }

    private JsonNode quantizationConfig() throws IOException {
        return new ObjectMapper()
                .readTree(folder.resolve("exported/config.json").toFile())
                .path("quantization_config");
    }

    @ParameterizedTest
    @CsvSource({
        "GPTQ, int4_g64",
        "GPTQ, int4_g32_asym",
        "GPTQ, int3_g32",
        "AWQ, int4_g64_asym",
        "AWQ, int4_g32",
        "COMPRESSED_TENSORS, int4_g64",
        "COMPRESSED_TENSORS, int4_g32_asym",
        "COMPRESSED_TENSORS, int8",
        "COMPRESSED_TENSORS, fp8"
    })
    void opensAgainAsTheSameModel(HuggingFaceLayout layout, String id) throws IOException {
        Path source = quantized("data/models/stories3M", key -> named(id));
        ExportReport report = export(source, layout);
        assertThat(report.changes()).isEmpty();
        try (Checkpoint expected = Checkpoint.open(source);
                Checkpoint found = Checkpoint.open(folder.resolve("exported"))) {
            assertThat(found.config()).isEqualTo(expected.config());
            assertThat(found.tokenizer()).isPresent();
            for (TensorKey key : expected.config().tensors()) {
                boolean packed = key.role().projection() && key.part() == Part.WEIGHT;
                assertThat(found.format(key)).isEqualTo(packed ? named(id) : ScalarFormat.F16);
                Tensor wanted =
                        packed ? expected.decoded(key) : expected.decoded(key).to(ScalarFormat.F16);
                assertThat(found.decoded(key).toFloats()).as(key.toString()).isEqualTo(wanted.toFloats());
            }
        }
    }

    /** Fused, interleaved, transposed and experts' modules: GPTQ has them all as [out, in] of the module. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "phi3",
                "gpt_neox_parallel",
                "gpt2",
                "bloom",
                "falcon_new_arch",
                "falcon_multiquery",
                "mixtral",
                "qwen2",
                "gemma2",
                "stablelm",
                "opt"
            })
    void everyFamilysModulesArePackedWhole(String name) throws IOException {
        Path source = quantized("golden/" + name, key -> new IntegerGroup(4, 32, false));
        ExportReport report = export(source, HuggingFaceLayout.GPTQ);
        assertThat(report.tensorsByFormat()).containsKey("int4_g32_asym");
        try (Checkpoint expected = Checkpoint.open(source);
                Checkpoint found = Checkpoint.open(folder.resolve("exported"))) {
            for (TensorKey key : expected.config().tensors()) {
                boolean packed = found.format(key) instanceof IntegerGroup;
                Tensor wanted =
                        packed ? expected.decoded(key) : expected.decoded(key).to(ScalarFormat.F16);
                assertThat(found.decoded(key).toFloats()).as(key.toString()).isEqualTo(wanted.toFloats());
            }
        }
    }

    /** Modules by the names and shapes that the other tools have, decoded by their rules. */
    @ParameterizedTest
    @CsvSource({"GPTQ, int4_g64", "AWQ, int4_g64_asym", "COMPRESSED_TENSORS, int4_g32_asym"})
    void filesHoldWhatOthersUnpack(HuggingFaceLayout layout, String id) throws IOException {
        Path source = quantized("data/models/stories3M", key -> named(id));
        export(source, layout);
        TensorKey key = TensorKey.weight(Role.DOWN, 2);
        GroupLayout reader = switch (layout) {
            case GPTQ -> new GptqLayout(true);
            case AWQ -> new AwqLayout();
            case COMPRESSED_TENSORS -> new PackQuantizedLayout();
            case BITSANDBYTES -> throw new AssertionError();
        };
        try (Checkpoint expected = Checkpoint.open(source);
                SafetensorsFile file = SafetensorsFile.open(folder.resolve("exported/model.safetensors"))) {
            Map<String, Tensor> parts = new HashMap<>();
            String module = "model.layers.2.mlp.down_proj.";
            file.tensors().forEach((tensor, value) -> {
                if (tensor.startsWith(module)) {
                    parts.put(tensor.substring(module.length()), value);
                }
            });
            assertThat(file.tensors()).doesNotContainKey(module + "weight");
            assertThat(PlainDecoders.decode(reader, parts, 192, 512, 4))
                    .isEqualTo(expected.tensor(key).toFloats());
        }
    }

    @Test
    void gptqsConfigTellsVersionAndWidths() throws IOException {
        export(quantized("data/models/stories3M", key -> named("int4_g64")), HuggingFaceLayout.GPTQ);
        JsonNode json = quantizationConfig();
        assertThat(json.path("quant_method").asText()).isEqualTo("gptq");
        assertThat(json.path("bits").asInt()).isEqualTo(4);
        assertThat(json.path("group_size").asInt()).isEqualTo(64);
        assertThat(json.path("sym").asBoolean()).isTrue();
        assertThat(json.path("desc_act").asBoolean(true)).isFalse();
        assertThat(json.path("checkpoint_format").asText()).isEqualTo("gptq");
        assertThat(json.has("modules_in_block_to_quantize")).isFalse();
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("exported/model.safetensors"))) {
            assertThat(file.tensors().keySet())
                    .contains("model.layers.0.self_attn.q_proj.g_idx", "model.layers.0.self_attn.q_proj.qzeros");
            // A middle of 8 is stored as 7 where zeros are stored less 1.
            assertThat(file.tensor("model.layers.0.self_attn.q_proj.qzeros").toInts())
                    .containsOnly(0x77777777);
        }
    }

    /** GPTQModel refuses zeros less 1 where they differ, unless it wrote them; and 0 less 1 cannot be said. */
    @Test
    void zerosThatDifferNeedTheNewerGptq() throws IOException {
        ExportReport report = export(
                quantized("data/models/stories3M", key -> new IntegerGroup(4, 32, false)), HuggingFaceLayout.GPTQ);
        assertThat(report.notes()).anySatisfy(note -> assertThat(note).contains("gptq_v2"));
        assertThat(quantizationConfig().path("checkpoint_format").asText()).isEqualTo("gptq_v2");
        assertThat(quantizationConfig().path("sym").asBoolean(true)).isFalse();
    }

    @Test
    void modulesThatAreFloatsAreNamed() throws IOException {
        Path source = quantized(
                "data/models/stories3M",
                key -> key.role() == Role.DOWN ? ScalarFormat.F16 : new IntegerGroup(4, 32, true));
        ExportReport report = export(source, HuggingFaceLayout.GPTQ);
        assertThat(report.changes()).isEmpty();
        assertThat(quantizationConfig().path("modules_in_block_to_quantize").path(0))
                .hasSize(6)
                .anySatisfy(module -> assertThat(module.asText()).isEqualTo("mlp.up_proj"));
    }

    @Test
    void whatVllmMakesOneOfShouldBePackedAlike() throws IOException {
        Path source = quantized(
                "data/models/stories3M",
                key -> key.role() == Role.VALUE ? ScalarFormat.F16 : new IntegerGroup(4, 32, true));
        ExportReport report = export(source, HuggingFaceLayout.AWQ);
        assertThat(report.notes()).anySatisfy(note -> assertThat(note).contains("q_proj is packed", "v_proj is not"));
        assertThat(quantizationConfig().path("modules_to_not_convert").toString())
                .contains("model.layers.0.self_attn.v_proj", "lm_head")
                .doesNotContain("q_proj");
    }

    @Test
    void compressedTensorsConfigTellsOfActivations() throws IOException {
        export(quantized("data/models/stories3M", key -> ScalarFormat.I8), HuggingFaceLayout.COMPRESSED_TENSORS);
        JsonNode json = quantizationConfig();
        assertThat(json.path("format").asText()).isEqualTo("int-quantized");
        assertThat(json.path("ignore").path(0).asText()).isEqualTo("lm_head");
        JsonNode group = json.path("config_groups").path("group_0");
        assertThat(group.path("targets").path(0).asText()).isEqualTo("Linear");
        assertThat(group.path("weights").path("strategy").asText()).isEqualTo("channel");
        assertThat(group.path("input_activations").path("strategy").asText()).isEqualTo("token");
        assertThat(group.path("input_activations").path("dynamic").asBoolean()).isTrue();
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("exported/model.safetensors"))) {
            assertThat(file.tensor("model.layers.1.mlp.up_proj.weight").format())
                    .isEqualTo(ScalarFormat.I8);
            assertThat(file.tensor("model.layers.1.mlp.up_proj.weight_scale").shape())
                    .containsExactly(512, 1);
        }
    }

    /** bitsandbytes' rule: table[code] · absmax, the first of two codes in the high half of a byte. */
    @Test
    void bitsandbytesHoldsTableCodesAndAbsmax() throws IOException {
        Path source = quantized("data/models/stories3M", key -> new NF4());
        export(source, HuggingFaceLayout.BITSANDBYTES);
        JsonNode json = quantizationConfig();
        assertThat(json.path("load_in_4bit").asBoolean()).isTrue();
        assertThat(json.path("bnb_4bit_quant_type").asText()).isEqualTo("nf4");
        String name = "model.layers.2.mlp.down_proj.weight";
        try (Checkpoint expected = Checkpoint.open(source);
                SafetensorsFile file = SafetensorsFile.open(folder.resolve("exported/model.safetensors"))) {
            long[] bytes = file.tensor(name).toLongs();
            float[] absmax = file.tensor(name + ".absmax").toFloats();
            float[] table = file.tensor(name + ".quant_map").toFloats();
            long[] state = file.tensor(name + ".quant_state.bitsandbytes__nf4").toLongs();
            byte[] text = new byte[state.length];
            for (int i = 0; i < text.length; i++) {
                text[i] = (byte) state[i];
            }
            JsonNode read = new ObjectMapper().readTree(new String(text, StandardCharsets.UTF_8));
            assertThat(read.path("blocksize").asInt()).isEqualTo(64);
            assertThat(read.path("shape").path(0).asInt()).isEqualTo(192);
            assertThat(read.path("shape").path(1).asInt()).isEqualTo(512);
            float[] wanted = expected.decoded(TensorKey.weight(Role.DOWN, 2)).toFloats();
            for (int i = 0; i < wanted.length; i++) {
                int code = (int) (i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15);
                assertThat(table[code] * absmax[i / 64])
                        .isCloseTo(wanted[i], org.assertj.core.data.Percentage.withPercentage(1e-4));
            }
        }
        try (Checkpoint expected = Checkpoint.open(source);
                Checkpoint found = Checkpoint.open(folder.resolve("exported"))) {
            TensorKey key = TensorKey.weight(Role.QUERY, 1);
            float[] wanted = expected.decoded(key).toFloats();
            float[] read = found.tensor(key).toFloats();
            for (int i = 0; i < wanted.length; i++) {
                assertThat(read[i]).isCloseTo(wanted[i], within(1e-3f * Math.abs(wanted[i]) + 1e-7f));
            }
        }
    }

    private void assertRefused(String model, HuggingFaceLayout layout, TensorFormat format, String... words)
            throws IOException {
        assertRefused(quantized(model, key -> format), layout, words);
    }

    private void assertRefused(Path source, HuggingFaceLayout layout, String... words) {
        assertThatThrownBy(() -> export(source, layout))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContainingAll(words);
        assertThat(folder.resolve("exported")).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource({
        "GPTQ, int8",
        "GPTQ, q4_0",
        "AWQ, int3_g32",
        "AWQ, nf4",
        "COMPRESSED_TENSORS, int3_g64_asym",
        "COMPRESSED_TENSORS, nf4",
        "BITSANDBYTES, int4_g64",
        "GPTQ, f32"
    })
    void formatsThatALayoutDoesNotHoldAreRefused(HuggingFaceLayout layout, String id) throws IOException {
        TensorFormat format = id.equals("f32") ? ScalarFormat.F32 : named(id);
        assertRefused(
                "data/models/stories3M", layout, format, "does not hold " + id, "quantize to " + layout.formats());
    }

    @Test
    void severalFormatsInOneFolderAreRefused() throws IOException {
        Path source = quantized(
                "data/models/stories3M", key -> key.role() == Role.DOWN ? new Q8_0() : new IntegerGroup(4, 32, true));
        assertRefused(source, HuggingFaceLayout.GPTQ, "model.layers.0.mlp.down_proj", "q8_0", "int4_g32");
    }

    @Test
    void gptqPacksAModuleInAllLayersOrInNone() throws IOException {
        Path source = quantized(
                "data/models/stories3M",
                key -> key.role() == Role.DOWN && key.layer() == 1 ? ScalarFormat.F16 : new IntegerGroup(4, 32, true));
        assertRefused(source, HuggingFaceLayout.GPTQ, "model.layers.1.mlp.down_proj", "compressed_tensors");
    }

    /** GPT-2's Conv1D is no Linear, which alone the other layouts' runtimes replace. */
    @Test
    void modulesThatStandTransposedAreRefusedButByGptq() throws IOException {
        assertRefused("golden/gpt2", HuggingFaceLayout.AWQ, new IntegerGroup(4, 32, true), "h.0.attn.c_attn");
    }

    /** An INT8 head is written as float16, as vLLM's runtimes have no other. */
    @Test
    void headsAreLeftOut() throws IOException {
        Path target = folder.resolve("quantized");
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/llama"));
                CheckpointWriter writer = CheckpointWriter.create(
                        target,
                        source.config(),
                        source.tokenizer(),
                        key -> key.part() == Part.WEIGHT && key.role().quantized()
                                ? ScalarFormat.I8
                                : ScalarFormat.F32)) {
            for (TensorKey key : source.config().tensors()) {
                if (key.part() == Part.WEIGHT && key.role().quantized()) {
                    writeScaled(writer, key, source.tensor(key), ScalarFormat.I8);
                } else {
                    writer.write(key, source.tensor(key));
                }
            }
            writer.commit();
        }
        ExportReport report = export(target, HuggingFaceLayout.COMPRESSED_TENSORS);
        assertThat(report.changes())
                .extracting(Change::tensor)
                .containsExactlyInAnyOrder("model.embed_tokens.weight", "lm_head.weight");
        assertThat(quantizationConfig().path("ignore").toString()).isEqualTo("[\"lm_head\"]");
        try (Checkpoint found = Checkpoint.open(folder.resolve("exported"))) {
            assertThat(found.format(TensorKey.weight(Role.HEAD))).isEqualTo(ScalarFormat.F16);
            assertThat(found.format(TensorKey.weight(Role.DOWN, 0))).isEqualTo(ScalarFormat.I8);
        }
    }

    /** To the byte: what a plan tells before anything is written. */
    @ParameterizedTest
    @CsvSource({
        "GPTQ, int3_g32_asym",
        "AWQ, int4_g64_asym",
        "COMPRESSED_TENSORS, int4_g32",
        "COMPRESSED_TENSORS, fp8",
        "BITSANDBYTES, nf4"
    })
    void bytesAreKnownBefore(HuggingFaceLayout layout, String id) throws IOException {
        Path source = quantized("data/models/stories3M", key -> named(id));
        export(source, layout);
        long stored = 0;
        try (Checkpoint checkpoint = Checkpoint.open(source);
                SafetensorsFile file = SafetensorsFile.open(folder.resolve("exported/model.safetensors"))) {
            for (Tensor tensor : file.tensors().values()) {
                stored += tensor.data().byteSize();
            }
            LayoutPlan plan = LayoutPlan.of(layout, checkpoint.config(), checkpoint::format);
            assertThat(plan.bytes()).isEqualTo(stored);
            for (TensorKey key : checkpoint.config().tensors()) {
                assertThat(plan.stored(key))
                        .isEqualTo(key.part() == Part.WEIGHT && key.role().projection() ? named(id) : ScalarFormat.F16);
            }
        }
    }
}
