package dev.demitasse.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.quantize.QuantizeOptions.Method;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever a model is made of, its quantized copy computes nearly what it does: projections that stand in other places,
 * have no gate, belong to experts or read the stream from beside each other would show as logits that are wrong.
 */
class EveryFamilyQuantizationTest {
    private static final int LENGTH = 24;

    @TempDir
    private Path folder;

    static Stream<String> decoders() throws IOException {
        return SharedData.goldens().filter(EveryFamilyQuantizationTest::isDecoder);
    }

    private static boolean isDecoder(String name) {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("golden/" + name))) {
            return checkpoint.config().causal();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** 8 bits in blocks of 32 move logits by under 5 % of their spread, and error feedback by less than rounding does. */
    @ParameterizedTest
    @MethodSource("decoders")
    void eightBitsChangeLittle(String name) throws IOException {
        double nearest = change(name, QuantizeOptions.of(Method.RTN, new Q8_0()));
        double compensated = change(name, QuantizeOptions.of(Method.GPTQ, new Q8_0()));
        assertThat(nearest).isLessThan(0.05);
        assertThat(compensated).isLessThan(1.2 * nearest);
    }

    /** INT8 with dynamic activations, after smoothing: a layer that was smoothed wrongly would be far off. */
    @ParameterizedTest
    @MethodSource("decoders")
    void smoothedInt8ChangesLittle(String name) throws IOException {
        assertThat(change(name, QuantizeOptions.of(Method.SMOOTHQUANT, ScalarFormat.I8)))
                .isLessThan(0.15);
    }

    /** Root mean square of the change of logits of new text, in standard deviations of the logits. */
    private double change(String name, QuantizeOptions options) throws IOException {
        Path output = folder.resolve(options.method().name());
        try (Checkpoint source = Checkpoint.open(SharedData.require("golden/" + name))) {
            Quantization.run(source, options, windows(source.config(), 40, 1), output, Progress.SILENT);
            try (CpuModel exact = CpuModel.of(source);
                    CpuModel quantized = CpuModel.open(output)) {
                return change(exact, quantized, windows(source.config(), 4, 2));
            }
        }
    }

    private static double change(CpuModel exact, CpuModel quantized, TokenWindows windows) {
        double changed = 0;
        double sum = 0;
        double squares = 0;
        long count = 0;
        for (int window = 0; window < windows.count(); window++) {
            float[] expected = exact.logits(windows.window(window));
            float[] actual = quantized.logits(windows.window(window));
            for (int i = 0; i < expected.length; i++) {
                double difference = (double) actual[i] - expected[i];
                changed += difference * difference;
                sum += expected[i];
                squares += (double) expected[i] * expected[i];
            }
            count += expected.length;
        }
        double mean = sum / count;
        return Math.sqrt(changed / count) / Math.sqrt(squares / count - mean * mean);
    }

    private static TokenWindows windows(ModelConfig config, int count, long seed) {
        Random random = new Random(seed);
        List<int[]> windows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            windows.add(random.ints(LENGTH, 0, config.vocabularySize()).toArray());
        }
        return TokenWindows.ofTokens("random " + seed, windows);
    }
}
