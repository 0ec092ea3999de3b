package dev.demitasse.model.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.Role;
import dev.demitasse.model.RopeScaling;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorForm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.reference.TinyModel;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is written is what is read again. */
class RoundTripTest {
    @TempDir
    private Path folder;

    /** Copies a checkpoint tensor by tensor. */
    private static void copy(Checkpoint source, Path target, Function<TensorKey, TensorFormat> format)
            throws IOException {
        try (CheckpointWriter writer = CheckpointWriter.create(target, source.config(), source.tokenizer(), format)) {
            for (TensorKey key : source.config().tensors()) {
                writer.write(key, source.tensor(key));
            }
            writer.commit();
        }
    }

    private static void assertSameBytes(Tensor actual, Tensor expected) {
        assertThat(actual.format()).isEqualTo(expected.format());
        assertThat(actual.shape()).isEqualTo(expected.shape());
        assertThat(actual.data().mismatch(expected.data()))
                .as(expected.toString())
                .isEqualTo(-1);
    }

    static Stream<TensorFormat> formats() {
        return Stream.of(ScalarFormat.F32, ScalarFormat.BF16, ScalarFormat.F16, new Q8_0(), new Q4_0());
    }

    @ParameterizedTest
    @MethodSource("formats")
    void everyFormat(TensorFormat format) throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/llama"))) {
            Function<TensorKey, TensorFormat> choice =
                    key -> key.role().projection() || format instanceof ScalarFormat ? format : ScalarFormat.F32;
            copy(source, folder, choice);
            try (Checkpoint written = Checkpoint.open(folder)) {
                assertThat(written.config()).isEqualTo(source.config());
                for (TensorKey key : source.config().tensors()) {
                    assertSameBytes(written.tensor(key), source.tensor(key).to(choice.apply(key)));
                }
                assertThat(written.projectionFormat()).isEqualTo(format);
            }
        }
    }

    /** A second writing of what was read gives the same files, byte by byte. */
    @Test
    void writingIsAFixedPoint() throws IOException {
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        Function<TensorKey, TensorFormat> choice = key -> key.role().projection() ? new Q4_0() : ScalarFormat.BF16;
        TinyModel.write(first, TinyModel.config(), choice);
        try (Checkpoint read = Checkpoint.open(first)) {
            copy(read, second, choice);
        }
        for (String file : List.of("config.json", "model.safetensors")) {
            assertThat(second.resolve(file)).hasSameBinaryContentAs(first.resolve(file));
        }
    }

    @Test
    void integersWithTheirScales() throws IOException {
        ModelConfig config = TinyModel.config();
        Function<TensorKey, TensorFormat> choice = key -> key.role().projection() ? ScalarFormat.I8 : ScalarFormat.F32;
        TensorKey down = TensorKey.weight(Role.DOWN, 1);
        byte[] codes = new byte[32 * 64];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (byte) (i * 37);
        }
        try (CheckpointWriter writer = CheckpointWriter.create(folder, config, Optional.empty(), choice)) {
            for (TensorKey key : config.tensors()) {
                if (key.role().projection()) {
                    long[] shape = config.shape(key);
                    byte[] bytes = key.equals(down) ? codes : new byte[Math.toIntExact(Tensor.elements(shape))];
                    writer.write(key, new Tensor("w", ScalarFormat.I8, shape, MemorySegment.ofArray(bytes)));
                    writer.write(key.part(Part.SCALE), TinyModel.tensor(config, key.part(Part.SCALE)));
                } else {
                    writer.write(key, TinyModel.tensor(config, key));
                }
            }
            writer.commit();
        }
        try (Checkpoint written = Checkpoint.open(folder)) {
            assertThat(written.tensor(down).format()).isEqualTo(ScalarFormat.I8);
            assertThat(written.tensor(down).data().mismatch(MemorySegment.ofArray(codes)))
                    .isEqualTo(-1);
            assertSameBytes(written.tensor(down.part(Part.SCALE)), TinyModel.tensor(config, down.part(Part.SCALE)));
        }
        JsonNode json =
                new ObjectMapper().readTree(folder.resolve("config.json").toFile());
        assertThat(json.path("quantization_config").path("format").asText()).isEqualTo("int8");
    }

    /** The golden README: llama_sharded is llama in two files. */
    @Test
    void shardsAreOneModel() throws IOException {
        try (Checkpoint single = Checkpoint.open(SharedData.require("golden/llama"));
                Checkpoint sharded = Checkpoint.open(SharedData.require("golden/llama_sharded"))) {
            assertThat(sharded.config()).isEqualTo(single.config());
            for (TensorKey key : single.config().tensors()) {
                assertSameBytes(sharded.tensor(key), single.tensor(key));
            }
        }
    }

    @Test
    void theTokenizerComesAlong() throws IOException {
        Path source = SharedData.require("data/models/stories260K");
        try (Checkpoint read = Checkpoint.open(source)) {
            copy(read, folder, key -> ScalarFormat.BF16);
        }
        assertThat(folder.resolve("tokenizer.json")).hasSameBinaryContentAs(source.resolve("tokenizer.json"));
        try (Checkpoint written = Checkpoint.open(folder)) {
            assertThat(written.requireTokenizer().vocabularySize()).isEqualTo(512);
        }
    }

    /** Every key of a config.json by transformers, with the same value; the version apart. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama",
                "llama_tied",
                "llama_bf16",
                "llama_bias_headdim",
                "llama_rope_linear",
                "llama_rope_llama3",
                "mistral_sliding"
            })
    void configIsWrittenAsTransformersDoes(String name) throws IOException {
        Path source = SharedData.require("golden/" + name);
        try (Checkpoint read = Checkpoint.open(source)) {
            copy(read, folder, key -> read.tensor(key).format());
        }
        ObjectMapper json = new ObjectMapper();
        JsonNode written = json.readTree(folder.resolve("config.json").toFile());
        ObjectNode expected =
                (ObjectNode) json.readTree(source.resolve("config.json").toFile());
        expected.remove("transformers_version");
        for (String key : (Iterable<String>) expected::fieldNames) {
            JsonNode value = expected.get(key);
            assertThat(written.has(key)).as(key).isTrue();
            if (value.isNumber()) {
                assertThat(written.get(key).doubleValue()).as(key).isEqualTo(value.doubleValue());
            } else if (!value.isObject()) {
                assertThat(written.get(key)).as(key).isEqualTo(value);
            }
        }
        assertThat(written.properties())
                .extracting(Map.Entry::getKey)
                .containsAll(
                        expected.properties().stream().map(Map.Entry::getKey).toList());
        try (Checkpoint again = Checkpoint.open(folder);
                Checkpoint read = Checkpoint.open(source)) {
            assertThat(again.config()).isEqualTo(read.config());
        }
    }

    /** A model whose rows are in GGUF's order is written in Hugging Face's, and config.json keeps its factors. */
    @Test
    void rowsAreWrittenInHuggingFacesOrder() throws IOException {
        ModelConfig config = TinyModel.config();
        Rotary rotary = new Rotary(8, 10_000, new RopeScaling.Factors(List.of(1.0, 2.0, 4.0, 8.0)), Pairing.HALVES);
        ModelConfig halves = config.withPositions(rotary);
        ModelConfig interleaved = config.withPositions(rotary.withPairing(Pairing.INTERLEAVED));
        try (CheckpointWriter writer =
                CheckpointWriter.create(folder, interleaved, Optional.empty(), key -> ScalarFormat.F32)) {
            for (TensorKey key : config.tensors()) {
                Tensor tensor = TinyModel.tensor(config, key);
                writer.write(key, TensorForm.convert(tensor, key, halves, interleaved));
            }
            writer.commit();
        }
        try (Checkpoint written = Checkpoint.open(folder)) {
            assertThat(written.config()).isEqualTo(halves);
            for (TensorKey key : config.tensors()) {
                assertSameBytes(written.tensor(key), TinyModel.tensor(config, key));
            }
        }
    }

    /** Two heads of 8: GGUF's rows 0 1 2 3 … of a head are Hugging Face's 0 4 1 5 … (convert_hf_to_gguf.py, {@code permute}). */
    @Test
    void rowOrderIsLlamaCpps() {
        ModelConfig config =
                TinyModel.config().withAttention(Attention.of(2, 2, 8).withBiases(Attention.PROJECTIONS));
        Tensor bias = Tensor.ofFloats("b", new float[] {0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17}, 16);
        assertThat(TensorForm.convert(bias, TensorKey.bias(Role.QUERY, 0), config, config.ggufForm())
                        .toFloats())
                .containsExactly(0, 4, 1, 5, 2, 6, 3, 7, 10, 14, 11, 15, 12, 16, 13, 17);
    }

    @Test
    void nothingHalfWrittenIsLeft() throws IOException {
        ModelConfig config = TinyModel.config();
        try (CheckpointWriter writer =
                CheckpointWriter.create(folder, config, Optional.empty(), key -> ScalarFormat.F32)) {
            TensorKey first = config.tensors().getFirst();
            writer.write(first, TinyModel.tensor(config, first));
            assertThatThrownBy(writer::commit).isInstanceOf(IllegalStateException.class);
        }
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }
}
