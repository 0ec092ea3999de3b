package dev.demitasse.model.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.ByteString;
import dev.demitasse.model.DemitasseException;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.reference.MemoryFolder;
import dev.demitasse.model.reference.Mutants;
import dev.demitasse.model.reference.TinyModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that are broken, foreign or malicious are refused with the file's name and what is wrong with it. */
class OnnxHostileTest {
    @TempDir(factory = MemoryFolder.class)
    Path folder;

    private static TensorProto.Builder floats(String name, long... shape) {
        TensorProto.Builder tensor = TensorProto.newBuilder().setName(name).setDataType(1);
        Arrays.stream(shape).forEach(tensor::addDims);
        return tensor;
    }

    private static TensorProto.Builder external(String location, String offset, String length) {
        return floats("w", 2)
                .setDataLocation(TensorProto.DataLocation.EXTERNAL)
                .addExternalData(entry("location", location))
                .addExternalData(entry("offset", offset))
                .addExternalData(entry("length", length));
    }

    private static StringStringEntryProto entry(String key, String value) {
        return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
    }

    private static ModelProto model(TensorProto.Builder... tensors) {
        GraphProto.Builder graph = GraphProto.newBuilder();
        Arrays.stream(tensors).forEach(graph::addInitializer);
        return ModelProto.newBuilder().setGraph(graph).build();
    }

    private Path write(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("model.onnx"), bytes);
    }

    static Stream<Arguments> malformed() {
        return Stream.of(
                Arguments.of(
                        floats("w", 3).setRawData(ByteString.copyFrom(new byte[8])), "has 8 bytes, its shape needs 12"),
                Arguments.of(floats("w", 2), "has 0 bytes, its shape needs 8"),
                Arguments.of(floats("w", -2), "impossible shape"),
                Arguments.of(floats("w", 1, 1, 1, 1, 1, 1, 1, 1, 1), "impossible shape"),
                Arguments.of(floats("w", 1L << 40, 1L << 40), "past 2^63 bytes"),
                Arguments.of(external("../secret", "0", "8"), "outside its folder: '../secret'"),
                Arguments.of(external("/etc/passwd", "0", "8"), "outside its folder"),
                Arguments.of(external("..", "0", "8"), "outside its folder"),
                Arguments.of(external("a\\b", "0", "8"), "outside its folder"),
                Arguments.of(external("", "0", "8"), "outside its folder"),
                Arguments.of(external("missing.data", "0", "8"), "needs the data file 'missing.data'"),
                Arguments.of(external("w.data", "-1", "8"), "the offset '-1'"),
                Arguments.of(external("w.data", "nine", "8"), "the offset 'nine'"),
                Arguments.of(external("w.data", "0", "99999999999999999999"), "the length '99999999999999999999'"),
                Arguments.of(external("w.data", "9", "8"), "takes 8 bytes from 9 of 'w.data', which has 16"),
                Arguments.of(external("w.data", "9223372036854775807", "8"), "of 'w.data', which has 16"),
                Arguments.of(external("w.data", "0", "4"), "has 4 bytes, its shape needs 8"),
                Arguments.of(
                        floats("w", 2).setDataLocation(TensorProto.DataLocation.EXTERNAL),
                        "does not say where its data is"));
    }

    @ParameterizedTest
    @MethodSource("malformed")
    void initializersThatCannotBe(TensorProto.Builder tensor, String problem) throws Exception {
        Files.write(folder.resolve("w.data"), new byte[16]);
        Path file = write(model(tensor).toByteArray());
        assertThatThrownBy(() -> OnnxCheckpoint.open(file))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("model.onnx")
                .hasMessageContaining(problem);
    }

    @Test
    void twoInitializersOfOneName() throws Exception {
        Path file = write(model(floats("w", 0), floats("w", 0)).toByteArray());
        assertThatThrownBy(() -> OnnxCheckpoint.open(file))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("two initializers called 'w'");
    }

    @Test
    void aForeignFileIsTheUsersMistake() throws Exception {
        Path file = write(model(floats("w", 0)).toByteArray());
        assertThatThrownBy(() -> OnnxCheckpoint.open(file))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("was not exported by Demitasse");
    }

    @Test
    void anotherLayoutIsNotGuessedAt() throws Exception {
        ModelProto other = model().toBuilder()
                .addMetadataProps(entry(OnnxNames.CONFIG, "{}"))
                .addMetadataProps(entry(OnnxNames.LAYOUT, "1"))
                .build();
        Path file = write(other.toByteArray());
        assertThatThrownBy(() -> OnnxCheckpoint.open(file))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("layout '1', expected '2'");
    }

    /** Numbers that never end, lengths past the end, groups, field 0, nothing at all. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "3a",
                "3aff",
                "3affffffffffffffffffff01",
                "3a05",
                "3affffffff0f",
                "3b",
                "00",
                "07",
                "3d0000",
                "3900",
                "ffffffffffffffffffff",
                "3a003a00",
                "7204" + "0a02" + "c328",
                "3800"
            })
    void bytesThatAreNoModel(String hexadecimal) throws Exception {
        Path file = write(java.util.HexFormat.of().parseHex(hexadecimal));
        assertThatThrownBy(() -> OnnxCheckpoint.open(file))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("model.onnx");
    }

    /** A model whose weights lie in the file and in another beside it, as the exporter writes them. */
    private byte[] tiny() throws Exception {
        ModelConfig config = TinyModel.config();
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        GraphProto.Builder graph = GraphProto.newBuilder();
        for (TensorKey key : config.tensors()) {
            long[] shape = config.shape(key);
            boolean turned = key.role().projection() || key.role() == Role.HEAD;
            byte[] bytes = TinyModel.tensor(config, key).data().toArray(ValueLayout.JAVA_BYTE);
            TensorProto.Builder tensor = floats(config.name(key), turned ? new long[] {shape[1], shape[0]} : shape);
            if (turned) {
                tensor.setDataLocation(TensorProto.DataLocation.EXTERNAL)
                        .addExternalData(entry("location", "model.onnx.data"))
                        .addExternalData(entry("offset", Integer.toString(data.size())))
                        .addExternalData(entry("length", Integer.toString(bytes.length)));
                data.writeBytes(bytes);
            } else {
                tensor.setRawData(ByteString.copyFrom(bytes));
            }
            graph.addInitializer(tensor);
        }
        Files.write(folder.resolve("model.onnx.data"), data.toByteArray());
        return ModelProto.newBuilder()
                .setGraph(graph)
                .addMetadataProps(
                        entry(OnnxNames.CONFIG, config.family().write(config).toString()))
                .addMetadataProps(entry(OnnxNames.LAYOUT, OnnxNames.LAYOUT_VERSION))
                .build()
                .toByteArray();
    }

    @Test
    void mutantsEndInSuccessOrAnError() throws Exception {
        byte[] whole = tiny();
        OnnxCheckpoint.open(write(whole)).close();
        int refused = Mutants.feed("onnx", whole, whole.length, content -> {
            try (OnnxCheckpoint checkpoint = OnnxCheckpoint.open(write(content))) {
                Mutants.touch(checkpoint);
            } catch (DemitasseException e) {
                assertThat(e).hasMessageContaining("model.onnx");
                throw e;
            }
        });
        assertThat(refused).isBetween(Mutants.COUNT / 4, Mutants.COUNT - 1);
    }

    /** The data file's bytes are numbers, whatever they are; only its length can be wrong. */
    @Test
    void shortDataFilesAreRefused() throws Exception {
        Path file = write(tiny());
        Path data = folder.resolve("model.onnx.data");
        byte[] whole = Files.readAllBytes(data);
        for (int length : new int[] {0, 1, whole.length / 2, whole.length - 1}) {
            Files.write(data, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> OnnxCheckpoint.open(file))
                    .isInstanceOf(MalformedModelException.class)
                    .hasMessageContaining("model.onnx.data");
        }
    }
}
