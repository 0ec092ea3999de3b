package dev.demitasse.export.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import dev.demitasse.export.ExportReport;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.Golden.Sequence;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** An exported graph reads back as the model it came from; protobuf's own parser agrees with what was streamed. */
class OnnxReadBackTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @MethodSource("dev.demitasse.export.onnx.GoldenDecoders#names")
    void readsBackTheSameModel(String name) throws Exception {
        Path file = folder.resolve("model.onnx");
        List<String> tensors;
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/" + name))) {
            tensors = source.config().tensors().stream()
                    .map(source.config()::name)
                    .toList();
            ExportReport report = OnnxExport.write(source, OnnxOptions.DEFAULT, file, Progress.SILENT);
            assertThat(report.files()).contains(file, folder.resolve("config.json"));
            try (Checkpoint written = Checkpoint.open(file)) {
                assertThat(written.config()).isEqualTo(source.config());
                assertThat(written.fileBytes()).isEqualTo(report.bytes()).isEqualTo(Files.size(file));
                for (TensorKey key : source.config().tensors()) {
                    assertSame(written.tensor(key), source.tensor(key));
                }
                assertThat(written.tensor(TensorKey.weight(Role.QUERY, 0)))
                        .isSameAs(written.tensor(TensorKey.weight(Role.QUERY, 0)));
            }
        }
        ModelProto model = ModelProto.parseFrom(Files.readAllBytes(file));
        assertThat(model.getGraph().getInitializerList())
                .extracting(TensorProto::getName)
                .doesNotHaveDuplicates()
                .containsAll(tensors);
        assertThat(model.getOpsetImportList()).singleElement().satisfies(set -> {
            assertThat(set.getDomain()).isEmpty();
            assertThat(set.getVersion()).isEqualTo(18);
        });
    }

    /** Nor does it matter that the weights lie in a file of their own. */
    @ParameterizedTest
    @MethodSource("dev.demitasse.export.onnx.GoldenDecoders#names")
    void readsBackFromADataFile(String name) throws Exception {
        Path file = folder.resolve("model.onnx");
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/" + name))) {
            OnnxExport.write(source, OnnxOptions.DEFAULT.withInlineLimit(0), file, Progress.SILENT);
            try (Checkpoint written = Checkpoint.open(file)) {
                for (TensorKey key : source.config().tensors()) {
                    assertSame(written.tensor(key), source.tensor(key));
                }
            }
        }
    }

    /** GGUF's q and k rows are put back into the order that the graph turns them in. */
    @Test
    void aGgufFileBecomesTheSameGraph() throws Exception {
        Path gguf = SharedData.require("golden/gguf/stories260K-f32.gguf");
        Path checkpoint = SharedData.require("data/models/stories260K");
        Path file = folder.resolve("model.onnx");
        try (Checkpoint source = Checkpoint.open(gguf);
                Checkpoint original = Checkpoint.open(checkpoint)) {
            OnnxExport.write(source, OnnxOptions.DEFAULT, file, Progress.SILENT);
            try (Checkpoint written = Checkpoint.open(file)) {
                for (TensorKey key : original.config().tensors()) {
                    assertSame(written.tensor(key), original.tensor(key));
                }
            }
        }
    }

    /** Block formats become float32 where that is asked for, and the report says which. */
    @Test
    void blockFormatsAreDequantizedVisibly() throws Exception {
        Path file = folder.resolve("model.onnx");
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/gguf/Q4_0.gguf"))) {
            ExportReport report =
                    OnnxExport.write(source, OnnxOptions.DEFAULT.withDequantized(), file, Progress.SILENT);
            assertThat(report.changes()).hasSize(8).allSatisfy(change -> {
                assertThat(change.from()).isEqualTo("q4_0");
                assertThat(change.to()).isEqualTo("f32");
            });
            try (Checkpoint written = Checkpoint.open(file)) {
                TensorKey key = TensorKey.weight(Role.DOWN, 0);
                assertSame(written.tensor(key), source.tensor(key).to(ScalarFormat.F32));
            }
        }
    }

    /** Past the limit, weights go to a data file at offsets that can be mapped; the same results come out. */
    @Test
    void largeWeightsGoToADataFile() throws Exception {
        Path source = SharedData.require("golden/llama");
        Path file = folder.resolve("model.onnx");
        Path data = folder.resolve("model.onnx.data");
        ExportReport report = export(source, OnnxOptions.DEFAULT.withInlineLimit(100_000), file);
        assertThat(report.files()).contains(file, data);
        assertThat(report.bytes()).isEqualTo(Files.size(file) + Files.size(data));
        assertThat(Files.size(file)).isLessThan(100_000);
        ModelProto model = ModelProto.parseFrom(Files.readAllBytes(file));
        assertThat(model.getGraph().getInitializerList())
                .filteredOn(tensor -> tensor.getDataLocation() == TensorProto.DataLocation.EXTERNAL)
                .hasSize(23)
                .allSatisfy(tensor -> assertThat(
                                Long.parseLong(tensor.getExternalData(1).getValue()) % ModelFile.ALIGNMENT)
                        .isZero());
        try (Checkpoint original = Checkpoint.open(source);
                Checkpoint written = Checkpoint.open(file);
                OrtDecoder decoder = new OrtDecoder(file, original.config())) {
            for (TensorKey key : original.config().tensors()) {
                assertSame(written.tensor(key), original.tensor(key));
            }
            Sequence sequence = Golden.read(source).sequences().getFirst();
            float[] logits = decoder.run(sequence.inputIds()).logits();
            for (int i = 0; i < logits.length; i++) {
                assertThat(Math.abs(logits[i] - sequence.logits()[i])).isLessThan(1e-4f);
            }
        }
        export(source, OnnxOptions.DEFAULT, file);
        assertThat(data).as("a data file that is no longer needed").doesNotExist();
    }

    @Test
    void aMissingOrShortDataFileIsNamed() throws Exception {
        Path source = SharedData.require("golden/llama");
        Path file = folder.resolve("model.onnx");
        Path data = folder.resolve("model.onnx.data");
        export(source, OnnxOptions.DEFAULT.withInlineLimit(0), file);
        try (var channel = Files.newByteChannel(data, StandardOpenOption.WRITE)) {
            channel.truncate(Files.size(data) - 1);
        }
        assertThatThrownBy(() -> Checkpoint.open(file))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("model.onnx.data");
        Files.delete(data);
        assertThatThrownBy(() -> Checkpoint.open(file))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("needs the data file 'model.onnx.data' beside it");
    }

    /** Whatever byte a file ends at, opening it is an error with a name, not a crash. */
    @Test
    void aTruncatedFileIsAnError() throws Exception {
        Path file = folder.resolve("model.onnx");
        export(SharedData.require("golden/llama"), OnnxOptions.DEFAULT, file);
        byte[] whole = Files.readAllBytes(file);
        Path cut = folder.resolve("cut.onnx");
        for (int length = 0; length < whole.length; length += 1 + whole.length / 200) {
            Files.write(cut, java.util.Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> Checkpoint.open(cut))
                    .as("%,d of %,d bytes", length, whole.length)
                    .isInstanceOf(MalformedModelException.class)
                    .hasMessageContaining("cut.onnx");
        }
    }

    /** A write that fails leaves the file of before, and nothing of its own. */
    @Test
    void aFailedExportLeavesNothingBehind() throws Exception {
        Path file = folder.resolve("model.onnx");
        Files.writeString(file, "before");
        Initializer broken = new Initializer("w", TensorProto.DataType.FLOAT, new long[] {2}, 8, target -> {
            target.write(0);
            throw new IOException("No space left on device");
        });
        GraphBuilder graph = new GraphBuilder();
        graph.constant(broken);
        ModelFile model =
                new ModelFile(file, ModelProto.getDefaultInstance(), graph.graph(), graph.initializers(), 1000);
        assertThatThrownBy(() -> model.write(Progress.SILENT)).hasMessageContaining("No space");
        assertThat(file).hasContent("before");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactly(file);
        }
    }

    private static ExportReport export(Path source, OnnxOptions options, Path file) throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(source)) {
            return OnnxExport.write(checkpoint, options, file, Progress.SILENT);
        }
    }

    private static void assertSame(Tensor actual, Tensor expected) {
        Tensor floats = expected.to(ScalarFormat.F32);
        assertThat(actual.shape()).as(actual.toString()).isEqualTo(floats.shape());
        assertThat(actual.data().mismatch(floats.data())).as(actual.toString()).isEqualTo(-1);
    }
}
