package dev.demitasse.model.gguf;

import static dev.demitasse.model.gguf.GgufBytes.int32;
import static dev.demitasse.model.gguf.GgufBytes.int64;
import static dev.demitasse.model.gguf.GgufBytes.join;
import static dev.demitasse.model.gguf.GgufBytes.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.demitasse.model.DemitasseException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.gguf.GgufBytes.Slot;
import dev.demitasse.model.reference.MemoryFolder;
import dev.demitasse.model.reference.Mutants;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Damaged and hostile GGUF files end in an error that names the file, whatever they claim. */
class HostileGgufTest {
    @TempDir(factory = MemoryFolder.class)
    private Path folder;

    private static void read(Path path) throws IOException {
        try (GgufCheckpoint checkpoint = GgufCheckpoint.open(path)) {
            checkpoint.config().tensors().forEach(key -> checkpoint.tensor(key).toFloats());
            checkpoint.tokenizer();
        }
    }

    private Path write(byte[] content) throws IOException {
        return Files.write(folder.resolve("model.gguf"), content);
    }

    @Test
    void theUndamagedFileIsFine() throws IOException {
        GgufBytes file = GgufBytes.tinyLlama();
        try (GgufCheckpoint checkpoint = GgufCheckpoint.open(write(file.toBytes()))) {
            assertThat(checkpoint.config()).isEqualTo(GgufBytes.tinyConfig());
            assertThat(checkpoint.tokenizer().orElseThrow().encodeWithSpecial("ab"))
                    .containsExactly(1, 31);
        }
        file.version = 2;
        read(write(file.toBytes()));
    }

    static Stream<Arguments> badFiles() {
        return Stream.of(headers(), metadata(), tensors(), models()).flatMap(List::stream);
    }

    private static List<Arguments> headers() {
        return List.of(
                bad("another magic", "GGUF", file -> file.magic = "GGML"),
                bad("version 1", "version 1", file -> file.version = 1),
                bad("version 4", "version 4", file -> file.version = 4),
                bad("big-endian", "big-endian", file -> file.version = 3 << 24),
                bad("more tensors than bytes", "tensors", file -> file.extraTensors = 1L << 60),
                bad("a negative tensor count", "tensors", file -> file.extraTensors = Long.MIN_VALUE),
                bad("one tensor too many", "model.gguf", file -> file.extraTensors = 1),
                bad("more pairs than bytes", "pairs", file -> file.extraPairs = 1L << 62),
                bad("one pair too many", "model.gguf", file -> file.extraPairs = 1),
                bad("a key of negative length", "key", file -> file.rawPairs.add(int64(-1))),
                bad("a key past the end", "key", file -> file.rawPairs.add(int64(1 << 27))),
                bad("a key past 256 MB", "key", file -> file.rawPairs.add(int64(1L << 40))));
    }

    private static List<Arguments> metadata() {
        byte[] one = int32(1);
        return List.of(
                bad("text past the end", "'k'", file -> file.raw("k", 8, int64(1 << 27))),
                bad("text of 2^63 bytes", "'k'", file -> file.raw("k", 8, int64(Long.MAX_VALUE))),
                bad("text of negative length", "'k'", file -> file.raw("k", 8, int64(Long.MIN_VALUE))),
                bad("an array past the end", "'k'", file -> file.raw("k", 9, join(int32(4), int64(1L << 61)))),
                bad("an array of -1 elements", "'k'", file -> file.raw("k", 9, join(int32(0), int64(-1)))),
                bad("texts past the end", "'k'", file -> file.raw("k", 9, join(int32(8), int64(1 << 20)))),
                bad("an array of arrays", "array", file -> file.raw("k", 9, join(int32(9), int64(1), one, int64(0)))),
                bad("an unknown value type", "unknown type 13", file -> file.raw("k", 13, one)),
                bad("a negative value type", "unknown type", file -> file.raw("k", -1, one)),
                bad("a number past 2^63", "2^63", file -> file.put("k", -1L)),
                bad(
                        "a key twice",
                        "twice",
                        file -> file.rawPairs.add(join(text("general.architecture"), GgufBytes.encode("llama")))),
                bad(
                        "a key that is no UTF-8",
                        "UTF-8",
                        file -> file.rawPairs.add(join(int64(2), new byte[] {(byte) 0xc3, 0x28}))),
                bad("alignment 0", "alignment", file -> file.put("general.alignment", 0)),
                bad("alignment 24", "alignment", file -> file.put("general.alignment", 24)),
                bad("alignment 2^31", "alignment", file -> file.put("general.alignment", 1 << 31)),
                bad("alignment of text", "alignment", file -> file.put("general.alignment", "32")),
                bad("another alignment than the tensors'", "model.gguf", file -> file.put("general.alignment", 4096)));
    }

    private static List<Arguments> tensors() {
        return List.of(
                badTensor("no dimensions", "dimensions", slot -> slot.withDimensions(0)),
                badTensor("five dimensions", "dimensions", slot -> slot.withDimensions(5, 2, 2, 2, 2, 2)),
                badTensor("2^31 dimensions", "dimensions", slot -> slot.withDimensions(1 << 31)),
                badTensor("a dimension of 0", "size 0", slot -> slot.withDimensions(2, 32, 0)),
                badTensor("a dimension below 0", "size", slot -> slot.withDimensions(2, 32, -1)),
                badTensor("2^124 elements", "2^63", slot -> slot.withDimensions(2, 1L << 62, 1L << 62)),
                badTensor("2^63 bytes", "2^63", slot -> slot.withDimensions(1, 1L << 62)),
                badTensor("more than there is", "ends at byte", slot -> slot.withDimensions(2, 32, 1 << 20)),
                badTensor("an offset past the end", "ends at byte", slot -> slot.withOffset(1 << 30)),
                badTensor("an offset near 2^63", "2^63", slot -> slot.withOffset(Long.MAX_VALUE - 31)),
                badTensor("a negative offset", "model.gguf", slot -> slot.withOffset(-32)),
                badTensor("an unaligned offset", "multiple", slot -> slot.withOffset(slot.offset() + 4)),
                badTensor("another's offset", "before it", slot -> slot.withOffset(0)),
                badTensor("another's name", "two tensors", slot -> slot.withName("output_norm.weight")),
                badTensor("no name", "without a name", slot -> slot.withName("")),
                badTensor("half a block", "blocks", slot -> slot.withType(2).withDimensions(2, 48, 8)),
                badTensor("an unknown type", "ggml type 77", slot -> slot.withType(77)),
                badTensor("a type that is not read", "IQ2_XXS", slot -> slot.withType(16)),
                badTensor("half a super-block", "blocks", slot -> slot.withType(12)),
                badTensor("a type of whole numbers", "not a weight", slot -> slot.withType(26)),
                badTensor("another shape", "asks for", slot -> slot.withDimensions(2, 64, 16)),
                badTensor("one dimension for two", "asks for", slot -> slot.withDimensions(1, 1024)),
                badTensor("a name nobody asks for", "no tensor", slot -> slot.withName("blk.0.attn_w.weight")));
    }

    private static List<Arguments> models() {
        return List.of(
                bad("no architecture", "architecture", file -> file.pairs.remove("general.architecture")),
                bad("an unknown architecture", "mamba", file -> file.put("general.architecture", "mamba")),
                bad("an architecture that is a number", "text", file -> file.put("general.architecture", 3)),
                bad("no layer count", "block_count", file -> file.pairs.remove("llama.block_count")),
                bad("0 layers", "block_count", file -> file.put("llama.block_count", 0)),
                bad("2^31 - 1 layers", "layers", file -> file.put("llama.block_count", Integer.MAX_VALUE)),
                bad("2^32 - 1 heads", "head_count", file -> file.put("llama.attention.head_count", -1)),
                bad("3 key/value heads of 4", "heads", file -> file.put("llama.attention.head_count_kv", 3)),
                bad("heads of too few layers", "layer 1", file -> file.put("llama.attention.head_count", List.of(4))),
                bad(
                        "heads past 2^31",
                        "overflow",
                        file -> file.put("llama.attention.key_length", 1 << 30)
                                .put("llama.attention.value_length", 1 << 30)),
                bad("values unlike keys", "value_length", file -> file.put("llama.attention.value_length", 4)),
                bad("an odd rotary width", "rotary", file -> file.put("llama.rope.dimension_count", 3)),
                bad("a rotary width above the head's", "rotary", file -> file.put("llama.rope.dimension_count", 16)),
                bad("a width that is NaN", "embedding_length", file -> file.put("llama.embedding_length", Float.NaN)),
                bad(
                        "an epsilon that is NaN",
                        "finite",
                        file -> file.put("llama.attention.layer_norm_rms_epsilon", Float.NaN)),
                bad("an infinite base", "finite", file -> file.put("llama.rope.freq_base", Double.POSITIVE_INFINITY)),
                bad("an unknown scaling", "spline", file -> file.put("llama.rope.scaling.type", "spline")),
                bad(
                        "scaling by 0",
                        "factor",
                        file -> file.put("llama.rope.scaling.type", "linear").put("llama.rope.scaling.factor", 0f)),
                bad(
                        "too few frequency factors",
                        "factors",
                        file -> file.add(
                                GgufCheckpoint.FREQUENCY_FACTORS, Tensor.ofFloats("f", new float[] {1, 1}, 2))),
                bad(
                        "a frequency factor of 0",
                        "factor",
                        file -> file.add(
                                GgufCheckpoint.FREQUENCY_FACTORS, Tensor.ofFloats("f", new float[] {1, 1, 0, 1}, 4))),
                bad(
                        "a bias of one layer only",
                        "attn_q.bias",
                        file -> file.add("blk.0.attn_q.bias", Tensor.ofFloats("b", new float[32], 32))),
                bad("experts", "expert", file -> file.put("llama.expert_count", 8)),
                bad("an unknown tokenizer", "rwkv", file -> file.put("tokenizer.ggml.model", "rwkv")),
                bad("tokens that are numbers", "tokens", file -> file.put("tokenizer.ggml.tokens", List.of(1, 2))),
                bad("fewer scores than tokens", "scores", file -> file.put("tokenizer.ggml.scores", List.of(1f))),
                bad("fewer types than tokens", "token_type", file -> file.put("tokenizer.ggml.token_type", List.of(1))),
                bad("a bos that is no token", "tokenizer", file -> file.put("tokenizer.ggml.bos_token_id", 40)),
                bad(
                        "no merges",
                        "merges",
                        file -> file.put("tokenizer.ggml.model", "gpt2").put("tokenizer.ggml.pre", "gpt-2")),
                bad(
                        "an unknown pre-tokenizer",
                        "nonesuch",
                        file -> file.put("tokenizer.ggml.model", "gpt2").put("tokenizer.ggml.pre", "nonesuch")),
                bad(
                        "a tokenizer.json that is none",
                        "tokenizer.json",
                        file -> file.put("tokenizer.huggingface.json", "{}")));
    }

    private static Arguments bad(String what, String inMessage, Consumer<GgufBytes> damage) {
        return arguments(what, inMessage, damage);
    }

    /** Damages the query of the first layer, {@code [32, 32]}. */
    private static Arguments badTensor(String what, String inMessage, UnaryOperator<Slot> damage) {
        Consumer<GgufBytes> replace = file ->
                file.slots.replaceAll(slot -> slot.name().equals("blk.0.attn_q.weight") ? damage.apply(slot) : slot);
        return arguments(what, inMessage, replace);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badFiles")
    void isRefused(String what, String inMessage, Consumer<GgufBytes> damage) throws IOException {
        GgufBytes file = GgufBytes.tinyLlama();
        damage.accept(file);
        Path path = write(file.toBytes());
        assertThatThrownBy(() -> read(path))
                .isInstanceOf(DemitasseException.class)
                .hasMessageContaining("model.gguf")
                .hasMessageContaining(inMessage);
    }

    @Test
    void everyTruncationIsNoticed() throws IOException {
        byte[] whole = GgufBytes.tinyLlama().toBytes();
        int header = GgufBytes.tinyLlama().header().length;
        for (int length = 0; length < whole.length; length += length < header ? 37 : 4999) {
            Path path = write(Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> read(path)).as("%d bytes", length).isInstanceOf(MalformedModelException.class);
        }
    }

    @Test
    void mutantsEndInSuccessOrAnError() {
        GgufBytes file = GgufBytes.tinyLlama();
        int refused = Mutants.feed("gguf", file.toBytes(), file.header().length, content -> {
            try (GgufCheckpoint checkpoint = GgufCheckpoint.open(write(content))) {
                Mutants.touch(checkpoint);
                checkpoint.tokenizer();
            }
        });
        assertThat(refused).isBetween(Mutants.COUNT / 4, Mutants.COUNT - 1);
    }

    @Test
    void biasesAndTiedHeadsShowInTheTensors() throws IOException {
        GgufBytes file = GgufBytes.tinyLlama();
        file.slots.removeIf(slot -> slot.name().equals("output.weight"));
        for (int layer = 0; layer < 2; layer++) {
            file.add("blk." + layer + ".attn_k.bias", Tensor.ofFloats("b", new float[16], 16));
        }
        try (GgufCheckpoint checkpoint = GgufCheckpoint.open(write(file.toBytes()))) {
            assertThat(checkpoint.config().tiedHead()).isTrue();
            assertThat(checkpoint.config().attention().biases()).containsExactly(Role.KEY);
            assertThat(checkpoint.config().feedForward().bias()).isFalse();
            assertThat(checkpoint.tensor(TensorKey.weight(Role.HEAD)).name()).isEqualTo("token_embd.weight");
        }
    }

    @Test
    void frequencyFactorsDivide() throws IOException {
        GgufBytes file = GgufBytes.tinyLlama();
        file.add(GgufCheckpoint.FREQUENCY_FACTORS, Tensor.ofFloats("f", new float[] {1, 2, 4, 8}, 4));
        try (GgufCheckpoint checkpoint = GgufCheckpoint.open(write(file.toBytes()))) {
            var rotary =
                    (dev.demitasse.model.Positions.Rotary) checkpoint.config().positions();
            assertThat(rotary.frequencies(1)).containsExactly(1.0, 0.1 / 2, 0.01 / 4, 0.001 / 8);
            assertThat(rotary.factors(1)).containsExactly(1, 2, 4, 8);
        }
    }
}
