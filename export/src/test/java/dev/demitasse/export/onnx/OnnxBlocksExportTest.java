package dev.demitasse.export.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnx.proto.OnnxMl.ModelProto;
import dev.demitasse.export.BlockCheckpoints;
import dev.demitasse.export.ExportReport;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.onnx.OnnxNames;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.Golden.Sequence;
import dev.demitasse.model.reference.SharedData;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights of block formats are multiplied as they are, and come back as they were. */
class OnnxBlocksExportTest {
    @TempDir
    Path folder;

    private static BlockFormat format(String id) {
        return (BlockFormat) TensorFormat.of(id).orElseThrow();
    }

    /** ONNX Runtime computes from the file what plain loops compute from the numbers that the blocks stand for. */
    @ParameterizedTest
    @CsvSource({
        "llama, q4_0",
        "llama_tied, q4_0",
        "llama_tied, q8_0",
        "llama, int4_g32",
        "llama_tied, int4_g32_asym",
        "llama_bias_headdim, int4_g64_asym",
        "mistral_sliding, int4_g64",
        "qwen2, int3_g32_asym",
        "mixtral, int4_g32",
        "qwen2_moe, q4_0",
        "gemma2, q8_0",
        "phi3, int3_g32",
        "gpt2, q4_0",
        "gpt_neox_parallel, int4_g32_asym",
        "bloom, q5_0",
        "falcon_new_arch, q4_0",
        "opt, int4_g32"
    })
    void wholeModels(String name, String formatId) throws Exception {
        BlockFormat format = format(formatId);
        Path source = SharedData.require("golden/" + name);
        Path packed = folder.resolve("packed");
        BlockCheckpoints.write(source, packed, format);
        Path file = folder.resolve("model.onnx");
        try (Checkpoint checkpoint = Checkpoint.open(packed)) {
            ExportReport report = OnnxExport.write(checkpoint, OnnxOptions.DEFAULT, file, Progress.SILENT);
            long rounded = checkpoint.config().tensors().stream()
                    .filter(key -> BlockCheckpoints.rounds(checkpoint, key, format))
                    .count();
            assertThat(rounded).isPositive();
            assertThat(report.tensorsByFormat()).containsEntry(formatId, (int) rounded);
            assertThat(report.changes()).isEmpty();
            try (OrtDecoder decoder = new OrtDecoder(file, checkpoint.config())) {
                PlainDecoder plain = new PlainDecoder(checkpoint);
                for (Sequence sequence : Golden.read(source).sequences()) {
                    int[] ids = sequence.inputIds();
                    assertThat(difference(decoder.run(ids).logits(), plain.logits(ids)))
                            .isLessThan(2e-4);
                }
            }
            try (Checkpoint written = Checkpoint.open(file)) {
                for (TensorKey key : checkpoint.config().tensors()) {
                    assertSame(written.tensor(key), checkpoint.tensor(key));
                    assertThat(written.format(key)).isEqualTo(checkpoint.format(key));
                }
            }
        }
    }

    private static double difference(float[] actual, double[][] expected) {
        double worst = 0;
        int at = 0;
        for (double[] row : expected) {
            for (double value : row) {
                double difference = Math.abs(actual[at++] - value);
                worst = difference <= worst ? worst : difference;
            }
        }
        assertThat(actual).hasSize(at);
        return worst;
    }

    private static void assertSame(Tensor actual, Tensor expected) {
        assertThat(actual.format()).as(actual.toString()).isEqualTo(expected.format());
        assertThat(actual.shape()).as(actual.toString()).isEqualTo(expected.shape());
        assertThat(actual.data().mismatch(expected.data()))
                .as(actual.toString())
                .isEqualTo(-1);
    }

    /** 4.5 bits a weight, as in the checkpoint; the operators' set is named only where it is used. */
    @Test
    void theFileIsAsSmallAsTheBlocks() throws Exception {
        Path packed = folder.resolve("packed");
        BlockCheckpoints.write(SharedData.require("data/models/stories260K"), packed, format("q4_0"));
        Path file = folder.resolve("model.onnx");
        try (Checkpoint checkpoint = Checkpoint.open(packed)) {
            OnnxExport.write(checkpoint, OnnxOptions.DEFAULT, file, Progress.SILENT);
            assertThat(Files.size(file)).isLessThan(checkpoint.fileBytes() + 60_000);
        }
        ModelProto model = ModelProto.parseFrom(Files.readAllBytes(file));
        assertThat(model.getOpsetImportList())
                .extracting(set -> set.getDomain())
                .containsExactly("", "com.microsoft");
        assertThat(model.getGraph().getNodeList())
                .extracting(node -> node.getOpType())
                .contains("MatMulNBits", "GatherBlockQuantized");
    }

    /** Minimums that are floats, scales of scales, levels that are no integers: no operator takes them. */
    @ParameterizedTest
    @ValueSource(strings = {"q4_1", "q5_1", "iq4_nl", "mxfp4"})
    void whatHasNoOperatorIsRefusedOrBecomesFloats(String formatId) throws Exception {
        Path packed = folder.resolve("packed");
        BlockCheckpoints.write(SharedData.require("golden/llama"), packed, format(formatId));
        Path file = folder.resolve("model.onnx");
        try (Checkpoint checkpoint = Checkpoint.open(packed)) {
            assertThatThrownBy(() -> OnnxExport.write(checkpoint, OnnxOptions.DEFAULT, file, Progress.SILENT))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining(formatId)
                    .hasMessageContaining("int4")
                    .hasMessageContaining("f32");
            assertThat(file).doesNotExist();
            ExportReport report =
                    OnnxExport.write(checkpoint, OnnxOptions.DEFAULT.withDequantized(), file, Progress.SILENT);
            assertThat(report.changes()).isNotEmpty();
        }
    }

    @Test
    void brokenBlocksAreNamed() throws Exception {
        Path packed = folder.resolve("packed");
        BlockCheckpoints.write(SharedData.require("golden/llama"), packed, format("int4_g32_asym"));
        Path file = folder.resolve("model.onnx");
        try (Checkpoint checkpoint = Checkpoint.open(packed)) {
            OnnxExport.write(checkpoint, OnnxOptions.DEFAULT, file, Progress.SILENT);
        }
        ModelProto model = ModelProto.parseFrom(Files.readAllBytes(file));
        refuses(replaced(model, "int4_g32_asym", "int4_g64_asym"), "shape|is \\[|asks for");
        refuses(replaced(model, "int4_g32_asym", "int4_g32_what"), "int4_g32_what");
        refuses(replaced(model, "int4_g32_asym", "q4_k"), "q4_k");
        for (String end : new String[] {"_scale", "_zero_point"}) {
            ModelProto.Builder without = model.toBuilder();
            without.getGraphBuilder().clearInitializer();
            model.getGraph().getInitializerList().stream()
                    .filter(tensor -> !tensor.getName().endsWith(".weight" + end))
                    .forEach(without.getGraphBuilder()::addInitializer);
            refuses(without.build(), end);
        }
    }

    private static ModelProto replaced(ModelProto model, String from, String to) {
        ModelProto.Builder changed = model.toBuilder();
        changed.getMetadataPropsBuilderList().stream()
                .filter(entry -> entry.getKey().equals(OnnxNames.BLOCKS))
                .forEach(entry -> entry.setValue(entry.getValue().replace(from, to)));
        return changed.build();
    }

    private void refuses(ModelProto model, String problem) throws Exception {
        Path file = folder.resolve("broken.onnx");
        Files.write(file, model.toByteArray());
        assertThatThrownBy(() -> Checkpoint.open(file))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageFindingMatch(problem);
    }
}
