package dev.demitasse.export.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.export.ExportReport;
import dev.demitasse.export.ExportReport.Change;
import dev.demitasse.export.Int8Checkpoints;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorForm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.gguf.GgufCheckpoint;
import dev.demitasse.model.gguf.GgufFile;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.CheckpointWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is written reads back as the same tensors, bit for bit, and as the model it came from. */
class GgufExportTest {
    @TempDir
    Path folder;

    private ExportReport export(Path source, GgufOptions options, Path file) throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(source)) {
            return GgufExport.write(checkpoint, options, file, Progress.SILENT);
        }
    }

    /** Reference models of the families that GGUF has. */
    static Stream<String> goldens() throws IOException {
        return SharedData.goldens().filter(GgufExportTest::inGguf);
    }

    private static boolean inGguf(String name) {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("golden/" + name))) {
            return checkpoint.config().family().ggufArchitecture().isPresent();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Every family's configuration and tensors survive; float32 tensors bit for bit once they are in the same form. */
    @ParameterizedTest
    @MethodSource("goldens")
    void readsBackAsTheSameModel(String name) throws Exception {
        Path source = SharedData.require("golden/" + name);
        Path file = folder.resolve("model.gguf");
        ExportReport report = export(source, GgufOptions.asStored(), file);
        assertThat(report.changes()).isEmpty();
        assertThat(String.join("\n", report.notes()).contains("not only the last 16"))
                .as("llama.cpp looks past Mistral's window")
                .isEqualTo(Set.of("mistral_sliding", "starcoder2", "phi3").contains(name));
        try (Checkpoint original = Checkpoint.open(source);
                Checkpoint written = Checkpoint.open(file)) {
            ModelConfig expected = original.config();
            assertSameModel(written.config(), expected);
            for (TensorKey key : expected.tensors()) {
                Tensor tensor = ggufForm(original, key);
                TensorFormat format =
                        key.role().matrix() && key.part() == Part.WEIGHT ? tensor.format() : ScalarFormat.F32;
                assertSame(written.tensor(key), tensor.to(format));
            }
        }
    }

    /** Numbers went through 32 bits, special tokens are a tokenizer's, and some scalings become factors of frequencies. */
    private static void assertSameModel(ModelConfig written, ModelConfig expected) {
        assertThat(written)
                .usingRecursiveComparison()
                .ignoringFields("specialTokens", "family")
                .ignoringFieldsMatchingRegexes(".*scaling")
                .withComparatorForType((a, b) -> Math.abs(a - b) <= 1e-6 * Math.abs(b) ? 0 : 1, Double.class)
                .isEqualTo(expected.ggufForm());
        assertThat(written.family().id()).isEqualTo(expected.family().id());
        for (int layer = 0; layer < expected.layers(); layer++) {
            if (expected.positions(layer) instanceof Rotary rotary) {
                Rotary again = (Rotary) written.positions(layer);
                assertThat(again.scaling().attentionFactor())
                        .isCloseTo(rotary.scaling().attentionFactor(), within(1e-6));
                for (int length : new int[] {1, 100_000}) {
                    assertThat(again.frequencies(length)).containsExactly(rotary.frequencies(length), within(1e-7));
                }
            }
        }
    }

    /** The tokenizer that is read from the file's metadata cuts text as the one it was written from. */
    @ParameterizedTest
    @ValueSource(strings = {"stories260K", "stories3M"})
    void theTokenizerSurvives(String name) throws Exception {
        Path source = SharedData.require("data/models/" + name);
        String text = Files.readString(SharedData.require("data/text/tinystories_10k.txt"));
        Path file = folder.resolve("model.gguf");
        export(source, GgufOptions.asStored(), file);
        try (Checkpoint original = Checkpoint.open(source);
                Checkpoint written = Checkpoint.open(file)) {
            assertThat(written.config().specialTokens())
                    .isEqualTo(original.config().specialTokens());
            for (String part : List.of(text.substring(0, 20_000), "  two  spaces", "naïve 東京 🙂", "\n\ttab", "")) {
                assertThat(written.requireTokenizer().encode(part))
                        .containsExactly(original.requireTokenizer().encode(part));
                assertThat(written.requireTokenizer().encodeWithSpecial(part))
                        .containsExactly(original.requireTokenizer().encodeWithSpecial(part));
            }
        }
    }

    /** llama.cpp's own file of the same checkpoint: the order of q and k rows is its. */
    @Test
    void tensorsEqualThoseThatLlamaCppWrote() throws Exception {
        Path source = SharedData.require("data/models/stories260K");
        Path reference = SharedData.require("golden/gguf/stories260K-f32.gguf");
        Path file = folder.resolve("model.gguf");
        export(source, GgufOptions.of(ScalarFormat.F32), file);
        assertSameTensors(file, reference);
    }

    /** llama-quantize's bytes for the same weights (golden/gguf README): encoders round as ggml's do. */
    @ParameterizedTest
    @ValueSource(strings = {"F16", "BF16", "Q8_0", "Q4_0"})
    void roundsAsLlamaCppDoes(String format) throws Exception {
        Path source = SharedData.require("golden/gguf/F32.gguf");
        Path file = folder.resolve("model.gguf");
        export(source, GgufOptions.of(TensorFormat.of(format).orElseThrow()), file);
        assertSameTensors(file, SharedData.require("golden/gguf/" + format + ".gguf"));
    }

    /** Blocks chosen by another (GPTQ) are not rounded again, whatever block format is asked for. */
    @ParameterizedTest
    @ValueSource(strings = {"", "q4_0", "q8_0"})
    void copiesPackedTensorsByteForByte(String asked) throws Exception {
        Path packed = folder.resolve("packed");
        Path source = SharedData.require("golden/llama_bias_headdim");
        pack(source, packed);
        Path file = folder.resolve("model.gguf");
        GgufOptions options = asked.isEmpty()
                ? GgufOptions.asStored()
                : GgufOptions.of(TensorFormat.of(asked).orElseThrow());
        ExportReport report = export(packed, options, file);
        assertThat(report.tensorsByFormat()).containsKey("q4_0");
        try (Checkpoint original = Checkpoint.open(packed);
                Checkpoint written = Checkpoint.open(file)) {
            for (TensorKey key : original.config().tensors()) {
                Tensor tensor = ggufForm(original, key);
                if (tensor.format() instanceof BlockFormat) {
                    assertSame(written.tensor(key), tensor);
                }
            }
        }
    }

    /** Blocks of random scales and codes: nothing that rounding to nearest would arrive at. */
    private static void pack(Path source, Path target) throws Exception {
        Random random = new Random(7);
        try (Checkpoint checkpoint = Checkpoint.open(source);
                CheckpointWriter writer = CheckpointWriter.create(
                        target, checkpoint.config(), checkpoint.tokenizer(), GgufExportTest::packedFormat)) {
            for (TensorKey key : checkpoint.config().tensors()) {
                Tensor tensor = checkpoint.tensor(key);
                if (packedFormat(key) instanceof Q4_0) {
                    Tensor blocks = Tensor.allocate(tensor.name(), new Q4_0(), tensor.shape());
                    BlockNumbers numbers = new BlockNumbers(new Q4_0().scheme());
                    for (long at = 0; at < blocks.data().byteSize(); at += 18) {
                        for (int i = 0; i < numbers.codes.length; i++) {
                            numbers.codes[i] = (byte) (random.nextInt(16) - 8);
                        }
                        numbers.scale = random.nextFloat();
                        new Q4_0().pack(numbers, blocks.data(), at);
                    }
                    tensor = blocks;
                }
                writer.write(key, tensor);
            }
            writer.commit();
        }
    }

    private static TensorFormat packedFormat(TensorKey key) {
        boolean packed = key.role().projection() && key.part() == Part.WEIGHT;
        return packed ? new Q4_0() : ScalarFormat.F32;
    }

    /** 172 columns are no whole blocks of 32: the tensor is F16, and the report says so. */
    @Test
    void matricesWhoseColumnsDoNotFitFallBackVisibly() throws Exception {
        Path source = SharedData.require("data/models/stories260K");
        Path file = folder.resolve("model.gguf");
        ExportReport report = export(source, GgufOptions.of(new Q8_0()), file);
        assertThat(report.changes())
                .extracting(Change::tensor)
                .containsExactly(
                        "blk.0.ffn_down.weight",
                        "blk.1.ffn_down.weight",
                        "blk.2.ffn_down.weight",
                        "blk.3.ffn_down.weight",
                        "blk.4.ffn_down.weight");
        assertThat(report.changes().getFirst().reason()).contains("172").contains("32");
        assertThat(report.formats().get("blk.0.ffn_down.weight")).isEqualTo("f16");
        assertThat(report.tensorsByFormat()).containsEntry("q8_0", 31).containsEntry("f16", 5);
        try (Checkpoint written = Checkpoint.open(file)) {
            assertThat(written.tensor(TensorKey.weight(Role.DOWN, 0)).format()).isEqualTo(ScalarFormat.F16);
            assertThat(written.fileBytes()).isEqualTo(report.bytes());
        }
    }

    @Test
    void int8WeightsAreRoundedAgainAndTheReportSaysSo() throws Exception {
        Path packed = folder.resolve("int8");
        Int8Checkpoints.write(SharedData.require("golden/llama"), packed, false);
        Path file = folder.resolve("model.gguf");
        ExportReport report = export(packed, GgufOptions.asStored(), file);
        assertThat(report.changes()).hasSize(21).allMatch(change -> change.to().equals("q8_0"));
        TensorKey key = TensorKey.weight(Role.VALUE, 1);
        try (Checkpoint original = Checkpoint.open(packed);
                Checkpoint written = Checkpoint.open(file)) {
            float[] codes = original.tensor(key).toFloats();
            float[] scales = original.tensor(key.part(Part.SCALE)).toFloats();
            float[] values = written.tensor(key).toFloats();
            int columns = original.tensor(key).columns();
            for (int i = 0; i < values.length; i++) {
                float scale = scales[i / columns];
                assertThat(values[i]).isCloseTo(codes[i] * scale, within(scale * 0.6f));
            }
        }
    }

    private static Tensor ggufForm(Checkpoint checkpoint, TensorKey key) {
        Tensor tensor = checkpoint.tensor(key);
        ModelConfig config = checkpoint.config();
        return TensorForm.convert(tensor, key, config, config.ggufForm());
    }

    private static void assertSameTensors(Path file, Path reference) throws Exception {
        try (GgufCheckpoint written = GgufCheckpoint.open(file);
                GgufFile expected = GgufFile.open(reference)) {
            assertThat(written.file().tensors().keySet())
                    .containsExactlyInAnyOrderElementsOf(expected.tensors().keySet());
            expected.tensors()
                    .keySet()
                    .forEach(name -> assertSame(written.file().tensor(name), expected.tensor(name)));
        }
    }

    private static void assertSame(Tensor actual, Tensor expected) {
        assertThat(actual.format()).as(actual.toString()).isEqualTo(expected.format());
        assertThat(actual.shape()).as(actual.toString()).isEqualTo(expected.shape());
        assertThat(actual.data().mismatch(expected.data()))
                .as(actual.toString())
                .isEqualTo(-1);
    }
}
