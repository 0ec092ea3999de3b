package dev.demitasse.recipes.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.export.onnx.OnnxExport;
import dev.demitasse.export.onnx.OnnxOptions;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.Scorer;
import dev.demitasse.infer.calibrate.InputCalibration;
import dev.demitasse.infer.calibrate.RangeChoice;
import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.infer.evaluate.Evaluation;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.infer.onnx.OrtModel;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.quantize.Quantization;
import dev.demitasse.quantize.QuantizeOptions;
import dev.demitasse.quantize.QuantizeOptions.Method;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the built-in runtime reads out of an ONNX file is what ONNX Runtime computes from it. */
class OnnxRuntimesTest {
    @TempDir
    private Path folder;

    private static TokenWindows text(ModelConfig config, long seed, int count) {
        Random random = new Random(seed);
        List<int[]> windows = IntStream.range(0, count)
                .mapToObj(i -> random.ints(24, 0, config.vocabularySize()).toArray())
                .toList();
        return TokenWindows.ofTokens("random", windows);
    }

    private Path quantize(String name, TensorFormat format) throws IOException {
        Path packed = folder.resolve("packed");
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/" + name))) {
            QuantizeOptions options = QuantizeOptions.of(Method.RTN, format);
            Quantization.run(source, options, Optional.empty(), packed, Progress.SILENT);
        }
        return packed;
    }

    private static Divergence divergence(Scorer model, Scorer reference, TokenWindows text) {
        return Evaluation.run(model, Optional.of(reference), text, Protocol.DEFAULT, Progress.SILENT)
                .divergence()
                .orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({
        "llama_tied, q4_0",
        "qwen2, int4_g32_asym",
        "gemma2, q8_0",
        "gpt2, int4_g32",
        "bloom, q4_0",
        "phi, int4_g32_asym",
        "mixtral, q4_0",
        "olmo2, int3_g32"
    })
    void blocksAreMultipliedAsTheyAre(String name, String format) throws IOException {
        Path packed = quantize(name, TensorFormat.of(format).orElseThrow());
        Path file = folder.resolve("model.onnx");
        try (Checkpoint checkpoint = Checkpoint.open(packed)) {
            OnnxExport.write(checkpoint, OnnxOptions.DEFAULT, file, Progress.SILENT);
        }
        try (CpuModel source = CpuModel.open(packed);
                CpuModel builtIn = CpuModel.open(file);
                OrtModel other = OrtModel.open(file)) {
            TokenWindows text = text(builtIn.config(), 6, 3);
            assertThat(divergence(builtIn, source, text).klSpread().largest()).isZero();
            assertThat(divergence(other, builtIn, text).klSpread().largest()).isLessThan(1e-6);
        }
    }

    /** Where a value lies halfway between two codes, the last bit of a sum decides, and all that follows differs a little. */
    @ParameterizedTest
    @ValueSource(strings = {"llama_tied", "qwen2", "gemma2", "gpt2", "bloom", "phi", "mixtral", "falcon_multiquery"})
    void fixedRangesRoundAlikeInBothRuntimes(String name) throws IOException {
        Path packed = quantize(name, ScalarFormat.I8);
        Path file = folder.resolve("model.onnx");
        try (Checkpoint checkpoint = Checkpoint.open(packed);
                CpuModel source = CpuModel.of(checkpoint)) {
            TokenWindows text = text(checkpoint.config(), 7, 4);
            for (RangeChoice choice : RangeChoice.values()) {
                OnnxOptions options = OnnxOptions.DEFAULT.withInputs(
                        InputCalibration.run(checkpoint, text(checkpoint.config(), 8, 8), choice, Progress.SILENT));
                OnnxExport.write(checkpoint, options, file, Progress.SILENT);
                assertThat(Files.readString(file, java.nio.charset.StandardCharsets.ISO_8859_1))
                        .contains("QuantizeLinear", "DequantizeLinear")
                        .doesNotContain("DynamicQuantizeLinear");
                try (CpuModel builtIn = CpuModel.open(file);
                        OrtModel other = OrtModel.open(file);
                        Checkpoint written = Checkpoint.open(file)) {
                    for (TensorKey key : checkpoint.config().tensors()) {
                        assertThat(written.tensor(key)
                                        .data()
                                        .mismatch(checkpoint.tensor(key).data()))
                                .isEqualTo(-1);
                    }
                    assertThat(divergence(builtIn, source, text).meanKl())
                            .as(choice + " against ranges as they come")
                            .isBetween(1e-9, 0.03);
                    Divergence between = divergence(other, builtIn, text);
                    assertThat(between.klSpread().median()).isLessThan(1e-3);
                    assertThat(between.meanKl()).isLessThan(3e-3);
                }
            }
        }
    }
}
