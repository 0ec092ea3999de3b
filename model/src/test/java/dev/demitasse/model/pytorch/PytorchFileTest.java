package dev.demitasse.model.pytorch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.DemitasseException;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.reference.MemoryFolder;
import dev.demitasse.model.reference.Mutants;
import dev.demitasse.model.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** State dicts of torch.save are read, and nothing in them is run. */
class PytorchFileTest {
    private static final long[] TWO_BY_TWO = {2, 2};
    private static final long[] ROW_MAJOR = {2, 1};

    @TempDir(factory = MemoryFolder.class)
    private Path folder;

    private static Map<String, Tensor> tiny(ScalarFormat format) {
        ModelConfig config = TinyModel.config();
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (TensorKey key : config.tensors()) {
            Tensor tensor = TinyModel.tensor(config, key).to(format);
            tensors.put(tensor.name(), tensor);
        }
        return tensors;
    }

    private void config() throws IOException {
        TinyModel.write(folder, TinyModel.config(), key -> ScalarFormat.F32);
        Files.delete(folder.resolve("model.safetensors"));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aCheckpointOfPytorchIsRead(boolean zip64) throws IOException {
        config();
        TorchBytes file = TorchBytes.stateDict(tiny(ScalarFormat.BF16));
        file.zip64 = zip64;
        Files.write(folder.resolve("pytorch_model.bin"), file.toBytes());
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            for (TensorKey key : TinyModel.config().tensors()) {
                assertThat(checkpoint.tensor(key).toFloats())
                        .isEqualTo(TinyModel.tensor(TinyModel.config(), key)
                                .to(ScalarFormat.BF16)
                                .toFloats());
            }
            assertThat(checkpoint.fileBytes()).isEqualTo(file.toBytes().length);
        }
    }

    @Test
    void shardsAreReadByTheirIndexAndSafetensorsArePreferred() throws IOException {
        config();
        Map<String, Tensor> all = tiny(ScalarFormat.F32);
        Map<String, Tensor> head = new LinkedHashMap<>(all);
        head.keySet().removeIf(name -> !name.equals("lm_head.weight"));
        all.remove("lm_head.weight");
        Files.write(
                folder.resolve("pytorch_model-1.bin"), TorchBytes.stateDict(all).toBytes());
        Files.write(
                folder.resolve("pytorch_model-2.bin"),
                TorchBytes.stateDict(head).toBytes());
        Files.writeString(
                folder.resolve("pytorch_model.bin.index.json"),
                "{\"weight_map\":{\"a\":\"pytorch_model-1.bin\",\"b\":\"pytorch_model-2.bin\"}}");
        Checkpoint.open(folder).close();
        TinyModel.write(folder, TinyModel.config(), key -> ScalarFormat.F16);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.parametersByFormat()).containsOnlyKeys("f16");
        }
    }

    /** Made by CPython 3's own pickler and zipfile with torch's names: x = [[1, 2], [3, 4]], y its second row, z a scalar. */
    @Test
    void aPickleOfPythonsOwnPicklerIsRead() throws IOException {
        Path file = Path.of("src/test/resources/pytorch/python.bin");
        try (PytorchFile read = PytorchFile.open(file)) {
            assertThat(read.tensors()).containsOnlyKeys("x", "y", "z");
            assertThat(read.tensors().get("x").toFloats()).containsExactly(1, 2, 3, 4);
            assertThat(read.tensors().get("x").shape()).containsExactly(2, 2);
            assertThat(read.tensors().get("y").toFloats()).containsExactly(3, 4);
            assertThat(read.tensors().get("z").toInts()).containsExactly(-7);
            assertThat(read.tensors().get("z").shape()).isEmpty();
        }
    }

    static Stream<Arguments> badFiles() {
        return Stream.of(pickles(), tensors(), archives()).flatMap(List::stream);
    }

    private static List<Arguments> pickles() {
        return List.of(
                bad(
                        "os.system",
                        "'os system'",
                        file -> file.global("os", "system").text("true").raw(0x85, 'R', '.')),
                bad(
                        "eval",
                        "'builtins eval'",
                        file -> file.global("builtins", "eval").raw('.')),
                bad("torch.load", "_load_from_bytes", file -> file.global("torch.storage", "_load_from_bytes")),
                bad(
                        "a name of many bytes",
                        "over 200 bytes",
                        file -> file.raw('c').bytes(new byte[1000])),
                bad(
                        "a name of another protocol",
                        "0x93",
                        file -> file.text("os").text("system").raw(0x93)),
                bad(
                        "an instance",
                        "0x81",
                        file -> file.global("torch", "FloatStorage").raw(')', 0x81)),
                bad("an instance of old", "0x69", file -> file.raw('(', 'i')),
                bad("an extension", "0x82", file -> file.raw(0x82, 1)),
                bad("a text of eval", "0x53", file -> file.raw('S').bytes("'x'\n".getBytes())),
                bad("protocol 4", "protocol 4", file -> file.raw(0x80, 4)),
                bad("no end", "ends in the middle", file -> file.raw(')')),
                bad("nothing on the stack", "where there is none", file -> file.raw('.')),
                bad("a mark on the stack", "where there is none", file -> file.raw('(', '.')),
                bad("a call without arguments", "where there is none", file -> file.raw(')', 'R')),
                bad("a call of a number", "calls something", file -> file.raw('K', 1, ')', 'R')),
                bad(
                        "a call of a storage type",
                        "calls something",
                        file -> file.global("torch", "FloatStorage").raw(')', 'R')),
                bad(
                        "an OrderedDict of something",
                        "OrderedDict",
                        file -> file.global("collections", "OrderedDict").raw('K', 1, 0x85, 'R')),
                bad("attributes of a list", "attributes", file -> file.raw(']', '}', 'b')),
                bad("a tuple without a mark", "did not open", file -> file.raw('t')),
                bad("items without a mark", "did not open", file -> file.raw('}', 'u')),
                bad("a value nobody remembered", "remember", file -> file.raw('h', 7)),
                bad("a negative slot", "remember", file -> file.raw('j').int32(-1)),
                bad(
                        "an item of a list",
                        "no dict",
                        file -> file.raw(']').text("a").raw('N', 's')),
                bad(
                        "a key without a value",
                        "no dict",
                        file -> file.raw('}', '(').text("a").raw('u')),
                bad("keys that are numbers", "no texts", file -> file.raw('}', 'K', 1, 'N', 's')),
                bad(
                        "a key twice",
                        "twice",
                        file -> file.raw('}', '(').text("a").raw('N').text("a").raw('N', 'u')),
                bad("an element of a dict", "no list", file -> file.raw('}', 'N', 'a')),
                bad(
                        "a text past the end",
                        "ends in the middle",
                        file -> file.raw('X').int32(1 << 30)),
                bad("a text of -1 bytes", "4294967295", file -> file.raw('X').int32(-1)),
                bad(
                        "a text that is no UTF-8",
                        "UTF-8",
                        file -> file.raw('X').int32(2).raw(0xc3, 0x28)),
                bad(
                        "a number of 200 bytes",
                        "200 bytes",
                        file -> file.raw(0x8a, 200).bytes(new byte[200])),
                bad("a nest of tuples", "dict of tensors", file -> {
                    file.raw(')');
                    for (int i = 0; i < 1_000_000; i++) {
                        file.raw(0x85);
                    }
                    file.raw('.');
                }),
                bad("a list in itself", "dict of tensors", file -> file.raw(']', 'q', 0, 'h', 0, 'a', '.')),
                bad("opcodes without end", "opcodes", file -> {
                    for (int i = 0; i < 1 << 21; i++) {
                        file.raw('N');
                    }
                }),
                bad("a doubling of tuples", "dict of tensors", file -> {
                    file.raw(')');
                    for (int i = 0; i < 200; i++) {
                        file.raw('q', 0, 'h', 0, 'h', 0, 0x87);
                    }
                    file.raw('.');
                }),
                bad(
                        "a dict of something else",
                        "'epoch' is no tensor",
                        file -> file.open().text("epoch").number(3).close()),
                bad(
                        "a tensor",
                        "dict of tensors",
                        file -> file.tensor("FloatStorage", "0", 4, 0, TWO_BY_TWO, ROW_MAJOR)
                                .raw('.')),
                bad(
                        "a parameter of nothing",
                        "parameter",
                        file -> file.global("torch._utils", "_rebuild_parameter")
                                .raw(')', 'R')));
    }

    private static List<Arguments> tensors() {
        return List.of(
                badTensor(
                        "no name",
                        "''",
                        file -> file.text("").tensor("FloatStorage", "0", 4, 0, TWO_BY_TWO, ROW_MAJOR)),
                badTensor(
                        "a storage that is not there",
                        "data/9",
                        file -> file.text("w").tensor("FloatStorage", "9", 4, 0, TWO_BY_TWO, ROW_MAJOR)),
                badTensor(
                        "a storage outside",
                        "data/../data.pkl",
                        file -> file.text("w").tensor("FloatStorage", "../data.pkl", 4, 0, TWO_BY_TWO, ROW_MAJOR)),
                badTensor(
                        "an unknown storage",
                        "ComplexFloatStorage",
                        file -> file.text("w").tensor("ComplexFloatStorage", "0", 4, 0, TWO_BY_TWO, ROW_MAJOR)),
                badTensor(
                        "a storage of -1 elements",
                        "no storage",
                        file -> file.text("w").tensor("FloatStorage", "0", -1, 0, TWO_BY_TWO, ROW_MAJOR)),
                badTensor(
                        "a storage of more than there is",
                        "16 bytes",
                        file -> file.text("w").tensor("FloatStorage", "0", 5, 0, TWO_BY_TWO, ROW_MAJOR)),
                badTensor(
                        "a storage of 2^63 bytes",
                        "2^63",
                        file -> file.text("w").tensor("FloatStorage", "0", Long.MAX_VALUE, 0, TWO_BY_TWO, ROW_MAJOR)),
                badTensor(
                        "a view past its storage",
                        "elements 1 to 5",
                        file -> file.text("w").tensor("FloatStorage", "0", 4, 1, TWO_BY_TWO, ROW_MAJOR)),
                badTensor(
                        "a view before its storage",
                        "elements -1",
                        file -> file.text("w").tensor("FloatStorage", "0", 4, -1, TWO_BY_TWO, ROW_MAJOR)),
                badTensor(
                        "an offset of 2^63",
                        "2^63",
                        file -> file.text("w").tensor("FloatStorage", "0", 4, Long.MAX_VALUE, TWO_BY_TWO, ROW_MAJOR)),
                badTensor(
                        "2^124 elements",
                        "2^63",
                        file -> file.text("w")
                                .tensor("FloatStorage", "0", 4, 0, new long[] {1L << 62, 1L << 62}, ROW_MAJOR)),
                badTensor(
                        "a dimension below 0",
                        "impossible shape",
                        file -> file.text("w").tensor("FloatStorage", "0", 4, 0, new long[] {-2, -2}, ROW_MAJOR)),
                badTensor(
                        "a transposed view",
                        "strides [1, 2]",
                        file -> file.text("w").tensor("FloatStorage", "0", 4, 0, TWO_BY_TWO, new long[] {1, 2})),
                badTensor(
                        "an expanded view",
                        "strides [0, 0]",
                        file -> file.text("w").tensor("FloatStorage", "0", 4, 0, TWO_BY_TWO, new long[] {0, 0})),
                badTensor(
                        "fewer strides than dimensions",
                        "none",
                        file -> file.text("w").tensor("FloatStorage", "0", 4, 0, TWO_BY_TWO, new long[] {1})),
                badTensor(
                        "nine dimensions",
                        "none",
                        file -> file.text("w").tensor("FloatStorage", "0", 4, 0, new long[9], new long[9])));
    }

    private static List<Arguments> archives() {
        Consumer<TorchBytes> fine = file -> file.open()
                .text("w")
                .tensor("FloatStorage", "0", 4, 0, TWO_BY_TWO, ROW_MAJOR)
                .close();
        return List.of(
                bad("compressed entries", "compressed", fine.andThen(file -> file.method = 8)),
                bad("encrypted entries", "encrypted", fine.andThen(file -> file.flags = 1)),
                bad("more entries than there are", "has 3 entries", fine.andThen(file -> file.extraEntries = 1)),
                bad("many more entries", "has 1002 entries", fine.andThen(file -> file.extraEntries = 1000)),
                bad(
                        "big-endian numbers",
                        "order 'big'",
                        fine.andThen(file -> file.entries.put("byteorder", "big".getBytes()))));
    }

    private static Arguments bad(String what, String inMessage, Consumer<TorchBytes> damage) {
        return arguments(what, inMessage, damage);
    }

    /** A state dict of one tensor over four floats. */
    private static Arguments badTensor(String what, String inMessage, Consumer<TorchBytes> item) {
        Consumer<TorchBytes> whole = file -> {
            file.open();
            item.accept(file);
            file.close();
        };
        return arguments(what, inMessage, whole);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badFiles")
    void isRefused(String what, String inMessage, Consumer<TorchBytes> damage) throws IOException {
        TorchBytes file = new TorchBytes();
        file.entries.put("data/0", new byte[16]);
        damage.accept(file);
        Path path = Files.write(folder.resolve("pytorch_model.bin"), file.toBytes());
        assertThatThrownBy(() -> PytorchFile.open(path).close())
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("pytorch_model.bin")
                .hasMessageContaining(inMessage);
    }

    /** The first bytes are those of torch.save before 1.6, of a tar file, of nothing. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "80028a0a6cfc9c46f920",
                "6c6c6c",
                "",
                "504b",
                "504b0506",
                "504b05060000000000000000000000000000000000"
            })
    void otherFilesAreRefused(String hexadecimal) throws IOException {
        Path path =
                Files.write(folder.resolve("pytorch_model.bin"), HexFormat.of().parseHex(hexadecimal));
        assertThatThrownBy(() -> PytorchFile.open(path).close())
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("pytorch_model.bin");
        assertThatThrownBy(() -> PytorchFile.open(folder.resolve("absent.bin")))
                .isInstanceOf(InvalidRequestException.class);
    }

    @Test
    void everyTruncationIsNoticed() throws IOException {
        byte[] whole = TorchBytes.stateDict(tiny(ScalarFormat.BF16)).toBytes();
        Path path = folder.resolve("pytorch_model.bin");
        for (int length = 0;
                length < whole.length;
                length += length < 3000 || length > whole.length - 3000 ? 61 : 997) {
            Files.write(path, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> PytorchFile.open(path))
                    .as("%d bytes", length)
                    .isInstanceOf(MalformedModelException.class);
        }
    }

    @Test
    void mutantsEndInSuccessOrAnError() throws IOException {
        config();
        Map<String, Tensor> tensors = tiny(ScalarFormat.BF16);
        TorchBytes file = TorchBytes.stateDict(tensors);
        byte[] whole = file.toBytes();
        Path path = folder.resolve("pytorch_model.bin");
        // The pickle at the front and the directory at the end, brought together so that both are hit.
        int directory = 22 + file.entries.size() * 64;
        int refused = Mutants.feed(
                "pytorch_model.bin", rotate(whole, directory), file.pickle().length + directory, content -> {
                    Files.write(path, rotate(content, content.length - Math.min(content.length, directory)));
                    try (PytorchFile read = PytorchFile.open(path)) {
                        read.tensors().values().forEach(Mutants::touch);
                    }
                    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
                        Mutants.touch(checkpoint);
                    }
                });
        assertThat(refused).isBetween(Mutants.COUNT / 4, Mutants.COUNT - 1);
    }

    /** The last {@code count} bytes first. */
    private static byte[] rotate(byte[] bytes, int count) {
        byte[] result = new byte[bytes.length];
        int rest = bytes.length - count;
        System.arraycopy(bytes, rest, result, 0, count);
        System.arraycopy(bytes, 0, result, count, rest);
        return result;
    }

    /** Pickles alone, so that most mutants reach the reader of pickles. */
    @Test
    void mutantPicklesEndInSuccessOrAnError() {
        byte[] whole = TorchBytes.stateDict(tiny(ScalarFormat.BF16)).pickle();
        int refused = Mutants.feed("data.pkl", whole, whole.length, content -> {
            try {
                TensorPickle.read(Path.of("data.pkl"), content);
            } catch (DemitasseException e) {
                assertThat(e).hasMessageContaining("data.pkl");
                throw e;
            }
        });
        assertThat(refused).isBetween(Mutants.COUNT / 4, Mutants.COUNT - 1);
    }
}
