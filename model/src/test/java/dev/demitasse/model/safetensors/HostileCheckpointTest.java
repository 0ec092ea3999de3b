package dev.demitasse.model.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.DemitasseException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.reference.MemoryFolder;
import dev.demitasse.model.reference.Mutants;
import dev.demitasse.model.reference.TinyModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Damaged and hostile checkpoint folders end in an error that names the file, whatever they claim. */
class HostileCheckpointTest {
    @TempDir(factory = MemoryFolder.class)
    private Path folder;

    private static void read(Path folder) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            checkpoint.config().tensors().forEach(key -> checkpoint.tensor(key).toFloats());
        }
    }

    private static void touch(Path folder) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            Mutants.touch(checkpoint);
        }
    }

    private static byte[] safetensors(long headerLength, String header, int dataBytes) {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer file = ByteBuffer.allocate(8 + text.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        return file.putLong(headerLength).put(text).array();
    }

    private static byte[] safetensors(String header, int dataBytes) {
        return safetensors(header.getBytes(StandardCharsets.UTF_8).length, header, dataBytes);
    }

    private static byte[] notUtf8() {
        byte[] file = safetensors("{\"ab\":{\"dtype\":\"U8\",\"shape\":[16],\"data_offsets\":[0,16]}}", 16);
        file[10] = (byte) 0xc3;
        file[11] = 0x28;
        return file;
    }

    private static Arguments bad(String what, String inMessage, byte[] content) {
        return arguments(what, inMessage, content);
    }

    /** A header of one tensor 'w' over 16 bytes of data. */
    private static Arguments badTensor(String what, String inMessage, String entry) {
        return bad(what, inMessage, safetensors("{\"w\":{" + entry.replace('\'', '"') + "}}", 16));
    }

    private static Arguments badHeader(String what, String inMessage, String header) {
        return bad(what, inMessage, safetensors(header.replace('\'', '"'), 16));
    }

    static Stream<Arguments> badFiles() {
        String four = "'dtype':'F32','shape':[2,2],'data_offsets':[0,16]";
        return Stream.of(
                bad("nothing", "0 bytes", new byte[0]),
                bad("seven bytes", "7 bytes", new byte[7]),
                bad("a header of 0 bytes", "header", safetensors(0, "{}", 0)),
                bad("a header past the end", "header", safetensors(3, "{}", 0)),
                bad("a header of 2^63 - 1 bytes", "header", safetensors(Long.MAX_VALUE, "{}", 0)),
                bad("a header of -1 bytes", "header", safetensors(-1, "{}", 0)),
                bad("a header over 100 MB", "header", safetensors(100_000_001, "{}", 0)),
                bad("bytes that are no text", "JSON", safetensors(4, "\u0000\u0001\u0002\u0003", 0)),
                bad("names that are no UTF-8", "UTF-8", notUtf8()),
                badHeader("metadata that is a number", "__metadata__", "{'__metadata__':3}"),
                badHeader("metadata of numbers", "'a' is no text", "{'__metadata__':{'a':3}}"),
                badHeader("a list", "object", "[]"),
                badHeader("half an object", "JSON", "{'w':"),
                badHeader("text after the object", "JSON", "{}{}"),
                badHeader("a nest of lists", "JSON", "{'w':" + "[".repeat(5000) + "]".repeat(5000) + "}"),
                badHeader("a tensor twice", "JSON", "{'w':{" + four + "},'w':{" + four + "}}"),
                badHeader("no tensor for the data", "end at byte 0", "{}"),
                badHeader("a tensor that is a number", "'w'", "{'w':3}"),
                badHeader("a tensor without a name", "''", "{'':{" + four + "}}"),
                badHeader("two tensors at one place", "starts at byte 0", "{'a':{" + four + "},'b':{" + four + "}}"),
                badHeader(
                        "overlapping tensors",
                        "starts at byte 4",
                        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},"
                                + "'b':{'dtype':'F32','shape':[3],'data_offsets':[4,16]}}"),
                badHeader(
                        "a gap",
                        "starts at byte 8",
                        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},"
                                + "'b':{'dtype':'F32','shape':[2],'data_offsets':[8,16]}}"),
                badHeader(
                        "an unknown block format",
                        "q9_9",
                        "{'__metadata__':{'format.w':'q9_9'},'w':{'dtype':'U8','shape':[1,16],'data_offsets':[0,16]}}"),
                badHeader(
                        "a scalar as block format",
                        "f32",
                        "{'__metadata__':{'format.w':'f32'},'w':{'dtype':'U8','shape':[1,16],'data_offsets':[0,16]}}"),
                badHeader(
                        "part of a block",
                        "whole q4_0 blocks",
                        "{'__metadata__':{'format.w':'q4_0'},'w':{'dtype':'U8','shape':[1,16],'data_offsets':[0,16]}}"),
                badHeader(
                        "blocks past 2^63",
                        "2^63",
                        "{'__metadata__':{'format.w':'q4_0'},"
                                + "'w':{'dtype':'U8','shape':[1,9223372036854775800],'data_offsets':[0,16]}}"),
                badTensor("no dtype", "dtype", "'shape':[2,2],'data_offsets':[0,16]"),
                badTensor("an unknown dtype", "F128", "'dtype':'F128','shape':[2,2],'data_offsets':[0,16]"),
                badTensor("a block dtype", "Q8_0", "'dtype':'Q8_0','shape':[2,2],'data_offsets':[0,16]"),
                badTensor("no shape", "shape", "'dtype':'F32','data_offsets':[0,16]"),
                badTensor("a shape that is text", "shape", "'dtype':'F32','shape':'22','data_offsets':[0,16]"),
                badTensor("a negative dimension", "-2", "'dtype':'F32','shape':[-2,-2],'data_offsets':[0,16]"),
                badTensor("half a dimension", "0.5", "'dtype':'F32','shape':[0.5,8],'data_offsets':[0,16]"),
                badTensor("a dimension that is NaN", "JSON", "'dtype':'F32','shape':[NaN],'data_offsets':[0,16]"),
                badTensor("a dimension of 1e99", "1.0E99", "'dtype':'F32','shape':[1E+99],'data_offsets':[0,16]"),
                badTensor(
                        "2^124 elements",
                        "2^63",
                        "'dtype':'F32','shape':[4611686018427387904,4611686018427387904],'data_offsets':[0,16]"),
                badTensor("2^64 bytes", "2^63", "'dtype':'F64','shape':[2305843009213693952],'data_offsets':[0,16]"),
                badTensor("too few bytes", "needs", "'dtype':'F32','shape':[2,2],'data_offsets':[0,12]"),
                badTensor("an end before its start", "needs", "'dtype':'F32','shape':[2,2],'data_offsets':[16,0]"),
                badTensor("one offset", "data_offsets", "'dtype':'F32','shape':[2,2],'data_offsets':[0]"),
                badTensor("an offset below 0", "-16", "'dtype':'F32','shape':[2,2],'data_offsets':[-16,0]"),
                badTensor("more than there is", "the file has", "'dtype':'F32','shape':[3,2],'data_offsets':[0,24]"),
                badTensor(
                        "an offset past 2^63",
                        "impossible number",
                        "'dtype':'F32','shape':[2,2],'data_offsets':[0,99999999999999999999]"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badFiles")
    void badSafetensorsIsRefused(String what, String inMessage, byte[] content) throws IOException {
        Path file = Files.write(folder.resolve("model.safetensors"), content);
        assertThatThrownBy(() -> SafetensorsFile.open(file).close())
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("model.safetensors")
                .hasMessageContaining(inMessage);
    }

    @ParameterizedTest(name = "{0} = {1}")
    @CsvSource({
        "vocab_size, 0",
        "vocab_size, -1",
        "vocab_size, 1e3",
        "vocab_size, 4294967336",
        "vocab_size, \"40\"",
        "vocab_size, null",
        "vocab_size, 41",
        "hidden_size, 2147483647",
        "hidden_size, 33",
        "intermediate_size, 2147483647",
        "num_hidden_layers, 2147483647",
        "num_hidden_layers, 3",
        "num_attention_heads, 2147483647",
        "num_attention_heads, 3",
        "num_key_value_heads, 3",
        "head_dim, 1073741824",
        "head_dim, 7",
        "rms_norm_eps, 1e999",
        "rms_norm_eps, -1",
        "rms_norm_eps, true",
        "rope_theta, 0",
        "rope_theta, -1e999",
        "hidden_act, \"relu6\"",
        "tie_word_embeddings, 1",
        "max_position_embeddings, 0",
        "architectures, []",
        "architectures, \"LlamaForCausalLM\"",
        "architectures, [\"T5ForConditionalGeneration\"]",
        "attention_bias, true",
        "mlp_bias, true",
        "rope_scaling, 3",
        "rope_scaling, {}",
        "rope_scaling, '{\"rope_type\":\"linear\",\"factor\":0}'",
        "rope_scaling, '{\"rope_type\":\"llama3\"}'",
        "rope_scaling, '{\"rope_type\":\"spline\",\"factor\":2}'",
        "rope_scaling, '{\"rope_type\":\"longrope\",\"short_factor\":[1],\"long_factor\":[1]}'",
    })
    void badConfigIsRefused(String key, String value) throws IOException {
        TinyModel.write(folder, TinyModel.config(), name -> ScalarFormat.F32);
        Path file = folder.resolve("config.json");
        String config = Files.readString(file).stripTrailing();
        // Of a key given twice the last counts.
        String changed = config.substring(0, config.length() - 1) + ",\"" + key + "\":" + value + "}";
        Files.writeString(file, changed);
        assertThatThrownBy(() -> read(folder))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining(folder.toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"weight_map\":{\"w\":\"../model.safetensors\"}}",
                "{\"weight_map\":{\"w\":\"/etc/passwd\"}}",
                "{\"weight_map\":{\"w\":\"a\\\\b.safetensors\"}}",
                "{\"weight_map\":{\"w\":\"..\"}}",
                "{\"weight_map\":{\"w\":\"\"}}",
                "{\"weight_map\":{\"w\":\"a\\u0000.safetensors\"}}",
                "{\"weight_map\":{\"w\":\"absent.safetensors\"}}",
                "{\"weight_map\":{\"w\":{\"x\":3}}}",
                "{\"weight_map\":{}}",
                "{\"weight_map\":[]}",
                "{\"weight_map\":",
                "[]",
                "",
                "\u0000"
            })
    void badShardIndexIsRefused(String index) throws IOException {
        TinyModel.write(folder, TinyModel.config(), name -> ScalarFormat.F32);
        Files.delete(folder.resolve("model.safetensors"));
        Files.writeString(folder.resolve("model.safetensors.index.json"), index);
        assertThatThrownBy(() -> read(folder))
                .isInstanceOf(DemitasseException.class)
                .hasMessageContaining(folder.toString());
    }

    /** A cache of the hub holds links to blobs, so where a link leads is its maker's business. */
    @Test
    void linksAreFollowedAndLoopsAreNot(@TempDir Path elsewhere) throws IOException {
        TinyModel.write(folder, TinyModel.config(), name -> ScalarFormat.F32);
        Path file = folder.resolve("model.safetensors");
        Path blob = Files.move(file, elsewhere.resolve("blob"));
        Files.createSymbolicLink(file, blob);
        read(folder);
        Files.delete(file);
        Files.createSymbolicLink(file, file);
        assertThatThrownBy(() -> read(folder)).isInstanceOf(DemitasseException.class);
        Files.delete(file);
        Files.createDirectory(file);
        assertThatThrownBy(() -> read(folder)).isInstanceOf(DemitasseException.class);
    }

    @Test
    void emptyTensorsAreRead() throws IOException {
        String header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,4611686018427387904],\"data_offsets\":[0,0]},"
                + "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}";
        Path file = Files.write(folder.resolve("model.safetensors"), safetensors(header, 4));
        try (SafetensorsFile read = SafetensorsFile.open(file)) {
            assertThat(read.tensor("a").elements()).isZero();
            assertThat(read.tensor("b").toFloats()).containsExactly(0);
        }
    }

    @Test
    void deepJsonIsRefused() throws IOException {
        TinyModel.write(folder, TinyModel.config(), name -> ScalarFormat.F32);
        String deep = "[".repeat(100_000);
        Files.writeString(folder.resolve("config.json"), deep);
        assertThatThrownBy(() -> read(folder)).isInstanceOf(MalformedModelException.class);
        Files.writeString(folder.resolve("config.json"), "{\"a\":" + "[".repeat(900) + "]".repeat(900) + "}");
        assertThatThrownBy(() -> read(folder)).isInstanceOf(MalformedModelException.class);
    }

    @Test
    void twoShardsWithOneTensorAreRefused() throws IOException {
        TinyModel.write(folder, TinyModel.config(), name -> ScalarFormat.F32);
        Files.move(folder.resolve("model.safetensors"), folder.resolve("a.safetensors"));
        Files.copy(folder.resolve("a.safetensors"), folder.resolve("b.safetensors"));
        Files.writeString(
                folder.resolve("model.safetensors.index.json"),
                "{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"b.safetensors\"}}");
        assertThatThrownBy(() -> read(folder))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("another shard");
    }

    @Test
    void integersAreNoWeights() throws IOException {
        TinyModel.write(folder, TinyModel.config(), name -> ScalarFormat.F32);
        Path file = folder.resolve("model.safetensors");
        byte[] content = Files.readAllBytes(file);
        String text = new String(content, StandardCharsets.ISO_8859_1).replaceFirst("\"F32\"", "\"I32\"");
        Files.write(file, text.getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> read(folder))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("not a weight");
    }

    @Test
    void everyTruncationIsNoticed() throws IOException {
        TinyModel.write(folder, TinyModel.config(), name -> ScalarFormat.F32);
        Path file = folder.resolve("model.safetensors");
        byte[] whole = Files.readAllBytes(file);
        for (int length = 0; length < whole.length; length += length < 4000 ? 97 : 9973) {
            Files.write(file, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> read(folder)).as("%d bytes", length).isInstanceOf(MalformedModelException.class);
        }
    }

    @Test
    void mutantWeightsEndInSuccessOrAnError() throws IOException {
        TinyModel.write(folder, TinyModel.config(), key -> key.role().projection() ? new Q8_0() : ScalarFormat.F32);
        Path file = folder.resolve("model.safetensors");
        byte[] whole = Files.readAllBytes(file);
        int header =
                8 + (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong();
        int refused = Mutants.feed("safetensors", whole, header, content -> {
            Files.write(file, content);
            touch(folder);
        });
        assertThat(refused).isBetween(Mutants.COUNT / 4, Mutants.COUNT - 1);
    }

    @Test
    void mutantConfigsEndInSuccessOrAnError() throws IOException {
        TinyModel.write(folder, TinyModel.config(), name -> ScalarFormat.F32);
        Path file = folder.resolve("config.json");
        byte[] whole = Files.readAllBytes(file);
        int refused = Mutants.feed("config.json", whole, whole.length, content -> {
            Files.write(file, content);
            touch(folder);
        });
        assertThat(refused).isBetween(Mutants.COUNT / 4, Mutants.COUNT - 1);
    }

    @Test
    void mutantIndexesEndInSuccessOrAnError() throws IOException {
        TinyModel.write(folder, TinyModel.config(), name -> ScalarFormat.F32);
        Files.move(folder.resolve("model.safetensors"), folder.resolve("model-1.safetensors"));
        Path file = folder.resolve("model.safetensors.index.json");
        byte[] whole = "{\"metadata\":{\"total_size\":12},\"weight_map\":{\"lm_head.weight\":\"model-1.safetensors\"}}"
                .getBytes(StandardCharsets.UTF_8);
        int refused = Mutants.feed("model.safetensors.index.json", whole, whole.length, content -> {
            Files.write(file, content);
            touch(folder);
        });
        assertThat(refused).isBetween(Mutants.COUNT / 4, Mutants.COUNT - 1);
    }
}
