package dev.demitasse.model.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Piece;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.packed.AwqLayout;
import dev.demitasse.model.packed.GptqLayout;
import dev.demitasse.model.packed.GroupLayout;
import dev.demitasse.model.packed.GroupedCodes;
import dev.demitasse.model.packed.PackQuantizedLayout;
import dev.demitasse.model.reference.TinyModel;
import dev.demitasse.model.safetensors.SafetensorsWriter.Slot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Folders that say in config.json, or beside it, that another tool has quantized them: what is read, and what is refused by
 * name. That the tensors mean what these tools mean is {@link dev.demitasse.model.packed.GroupLayoutTest}'s.
 */
class PackedWeightsTest {
    private static final TensorKey UP = TensorKey.weight(Role.UP, 1);
    private static final String UP_NAME = "model.layers.1.mlp.up_proj.";
    private static final IntegerGroup FORMAT = new IntegerGroup(4, 32, false);

    @TempDir
    private Path folder;

    private final ModelConfig config = TinyModel.config();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    /** A random model, its projections packed. */
    private void pack(GroupLayout layout) {
        for (TensorKey key : config.tensors()) {
            Tensor tensor = TinyModel.tensor(config, key);
            Piece piece = config.names().huggingFace(key).getFirst();
            if (key.role().projection() && key.part() == Part.WEIGHT) {
                String module = piece.name().replaceFirst("weight$", "");
                layout.pack(GroupedCodes.of(tensor.to(FORMAT)))
                        .forEach((name, part) -> tensors.put(module + name, part));
            } else {
                tensors.put(piece.name(), tensor);
            }
        }
    }

    private void write(String quantization) throws IOException {
        Map<String, Slot> slots = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> slots.put(name, new Slot(tensor.format(), tensor.shape())));
        try (SafetensorsWriter writer =
                SafetensorsWriter.create(folder.resolve("model.safetensors"), slots, Map.of("format", "pt"))) {
            for (Map.Entry<String, Tensor> tensor : tensors.entrySet()) {
                writer.write(tensor.getKey(), 0, tensor.getValue().data());
            }
            writer.commit();
        }
        Optional<ObjectNode> node = quantization.isEmpty() ? Optional.empty() : Optional.of(json(quantization));
        FolderFiles.write(folder, config, Optional.empty(), "float16", node);
    }

    private static ObjectNode json(String text) throws IOException {
        return (ObjectNode) new ObjectMapper().readTree(text.replace('\'', '"'));
    }

    private float[] read(TensorKey key) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            return checkpoint.decoded(key).toFloats();
        }
    }

    private void assertReads() throws IOException {
        assertThat(read(UP)).isEqualTo(TinyModel.tensor(config, UP).to(FORMAT).toFloats());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'quant_method':'gptq','bits':4,'group_size':32,'checkpoint_format':'gptq_v2'}",
                "{'quant_method':'GPTQ','bits':4,'group_size':32,'format':'gptq_v2','desc_act':false}"
            })
    void gptqTellsItsVersionByTwoNames(String quantization) throws IOException {
        pack(new GptqLayout(false));
        write(quantization);
        assertReads();
    }

    @Test
    void awqTellsItsVersion() throws IOException {
        pack(new AwqLayout());
        write("{'quant_method':'awq','bits':4,'group_size':32,'zero_point':true,'version':'GEMM'}");
        assertReads();
    }

    /** As the first versions of AutoGPTQ and AutoAWQ have it. */
    @ParameterizedTest
    @CsvSource({"quantize_config.json, checkpoint_format, gptq_v2", "quant_config.json, version, GEMM"})
    void filesBesideTheConfigurationCountWhereItSaysNothing(String name, String key, String version)
            throws IOException {
        pack(name.equals("quant_config.json") ? new AwqLayout() : new GptqLayout(false));
        write("");
        Files.writeString(folder.resolve(name), "{\"bits\": 4, \"%s\": \"%s\"}".formatted(key, version));
        assertReads();
    }

    /** compressed-tensors keeps scales in the model's own type, bfloat16 as a rule. */
    @Test
    void scalesOfOtherTypesAreRead() throws IOException {
        pack(new PackQuantizedLayout());
        String name = UP_NAME + "weight_scale";
        tensors.put(name, tensors.get(name).to(ScalarFormat.BF16));
        write("{'quant_method':'compressed-tensors','format':'pack-quantized'}");
        float[] expected = TinyModel.tensor(config, UP).to(FORMAT).toFloats();
        float[] found = read(UP);
        for (int i = 0; i < found.length; i++) {
            assertThat(found[i])
                    .isCloseTo(expected[i], org.assertj.core.data.Offset.offset(0.005f * Math.abs(expected[i])));
        }
    }

    /** A scale for each row in a column, or one for all of them. */
    @ParameterizedTest
    @CsvSource({"compressed-tensors, 64", "compressed-tensors, 1", "fp8, 1"})
    void rowsHaveScalesInAColumnOrOneForAll(String method, int count) throws IOException {
        pack(new PackQuantizedLayout());
        Tensor codes = wholeRows(count, ScalarFormat.BF16);
        write("{'quant_method':'%s','format':'float-quantized'}".formatted(method));
        float[] found = read(UP);
        float[] plain = codes.toFloats();
        for (int i = 0; i < found.length; i++) {
            assertThat(found[i]).isEqualTo(plain[i] * (count == 1 ? 0.5f : 0.5f + i / 32));
        }
    }

    /** Puts FP8 in the place of one packed weight, with scales from a half on. */
    private Tensor wholeRows(int scales, ScalarFormat format) {
        tensors.keySet().removeIf(name -> name.startsWith(UP_NAME));
        Tensor codes = TinyModel.tensor(config, UP).to(ScalarFormat.F8_E4M3);
        tensors.put(UP_NAME + "weight", codes);
        float[] values = new float[scales];
        for (int i = 0; i < scales; i++) {
            values[i] = 0.5f + i;
        }
        long[] shape = scales == 1 ? new long[] {1} : new long[] {scales, 1};
        tensors.put(
                UP_NAME + "weight_scale", Tensor.ofFloats("s", values, shape).to(format));
        for (TensorKey key : config.tensors()) {
            String name = config.name(key);
            if (!tensors.containsKey(name)) {
                String module = name.replaceFirst("weight$", "");
                tensors.keySet().removeIf(part -> part.startsWith(module));
                tensors.put(name, TinyModel.tensor(config, key));
            }
        }
        return codes;
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 3})
    void zerosOfWholeRowsMustBe0(long zero) throws IOException {
        pack(new PackQuantizedLayout());
        wholeRows(64, ScalarFormat.F32);
        Tensor zeros = Tensor.allocate("z", ScalarFormat.I8, 64, 1);
        zeros.data().set(java.lang.foreign.ValueLayout.JAVA_BYTE, 7, (byte) zero);
        tensors.put(UP_NAME + "weight_zero_point", zeros);
        write("{'quant_method':'compressed-tensors','format':'float-quantized'}");
        if (zero == 0) {
            assertThat(read(UP)).hasSize(64 * 32);
        } else {
            assertThatThrownBy(() -> read(UP))
                    .isInstanceOf(MalformedModelException.class)
                    .hasMessageContaining(UP_NAME + "weight_zero_point");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'quant_method':'hqq'} | hqq",
                "{'quant_method':'gptq','checkpoint_format':'marlin'} | gptq, format marlin",
                "{'quant_method':'gptq','is_marlin_format':true} | gptq, format marlin",
                "{'quant_method':'awq','version':'gemv'} | awq, version gemv",
                "{'quant_method':'bitsandbytes','load_in_8bit':true} | 8 bits",
                "{'quant_method':'fp8','weight_block_size':[128,128]} | a scale for each square",
                "{'quant_method':'compressed-tensors','format':'nvfp4-pack-quantized'} | nvfp4-pack-quantized",
                "{'quant_method':'compressed-tensors','format':'pack-quantized','sparsity_config':{'format':'sparse-24-bitmask'}}"
                        + " | sparse-24-bitmask",
                "{'quant_method':'compressed-tensors','format':'pack-quantized','transform_config':{'config_groups':{'R4':{}}}}"
                        + " | with transforms"
            })
    void whatIsNotReadIsRefusedByName(String quantization, String words) throws IOException {
        pack(new GptqLayout(true));
        write(quantization);
        assertThatThrownBy(() -> read(UP))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContainingAll("is quantized by", words, "which Demitasse does not read");
    }

    private void assertMalformed(String part, Tensor instead, String words) throws IOException {
        tensors.put(UP_NAME + part, instead);
        write("{'quant_method':'gptq','checkpoint_format':'gptq_v2'}");
        assertThatThrownBy(() -> read(UP))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContainingAll(UP_NAME + part, words);
    }

    private static Tensor ints(int value, int count) {
        Tensor tensor = Tensor.allocate("i", ScalarFormat.I32, count);
        for (int i = 0; i < count; i++) {
            tensor.data().set(java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED, 4L * i, value);
        }
        return tensor;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, -1, Integer.MAX_VALUE})
    void groupsThatDoNotExistAreRefused(int group) throws IOException {
        pack(new GptqLayout(false));
        assertMalformed("g_idx", ints(group, 32), "32 groups below 1");
    }

    @Test
    void tensorsThatDoNotFitAreRefused() throws IOException {
        pack(new GptqLayout(false));
        assertMalformed("g_idx", Tensor.allocate("g", ScalarFormat.F32, 32), "f32");
        pack(new GptqLayout(false));
        assertMalformed("g_idx", ints(0, 31), "32 groups below 1");
        pack(new GptqLayout(false));
        assertMalformed("qweight", Tensor.allocate("q", ScalarFormat.I32, 5, 64), "not 2, 3, 4 or 8 bits");
        pack(new GptqLayout(false));
        assertMalformed("scales", Tensor.allocate("s", ScalarFormat.F16, 5, 64), "5 groups");
        pack(new GptqLayout(false));
        assertMalformed("scales", Tensor.allocate("s", ScalarFormat.F16, 0, 64), "0 groups");
        pack(new GptqLayout(false));
        assertMalformed("qzeros", Tensor.allocate("z", ScalarFormat.I32, 1, 9), "does not fit");
        pack(new GptqLayout(false));
        assertMalformed("qzeros", Tensor.allocate("z", ScalarFormat.F16, 1, 8), "does not fit");
    }
}
