package dev.demitasse.infer.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.datasets.TextSource;
import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.datasets.WindowPacker;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.Scorer;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvaluationTest {
    @TempDir
    Path folder;

    /**
     * llama.cpp's own figure (golden/gguf/README.md): stories3M in float32 on the second half of tinystories_10k, context
     * 256, second half of each window scored: 4.6689. The README does not say how the text was cut; here: at the story
     * border nearest the middle, lines stripped of white space at their ends, empty ones dropped, stories joined by an
     * empty line.
     */
    @Test
    void perplexityIsLlamaCpps() throws IOException {
        String text = Files.readString(SharedData.require("data/text/tinystories_10k.txt"));
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("data/models/stories3M"));
                CpuModel model = CpuModel.of(checkpoint)) {
            TokenWindows windows = windows(checkpoint, secondHalf(text), 256);
            Quality quality = Evaluation.run(model, Optional.empty(), windows, Protocol.LLAMACPP, Progress.SILENT);
            assertThat(quality.perplexity()).isCloseTo(4.6689, within(0.005 * 4.6689));
            assertThat(quality.tokensScored()).isEqualTo(windows.count() * 127L);
        }
    }

    private static String secondHalf(String text) {
        String separator = "<|endoftext|>";
        int middle = text.length() / 2;
        int after = text.indexOf(separator, middle);
        int before = text.lastIndexOf(separator, middle);
        int cut = after - middle < middle - before ? after : before;
        return Arrays.stream(text.substring(cut).split("<\\|endoftext\\|>"))
                .map(story -> story.lines()
                        .map(String::strip)
                        .filter(line -> !line.isEmpty())
                        .collect(Collectors.joining("\n")))
                .filter(story -> !story.isEmpty())
                .collect(Collectors.joining("\n\n"));
    }

    /** A model that expects every token alike has its vocabulary's size as perplexity, without error. */
    @Test
    void knowingNothingCostsTheWholeVocabulary() throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("data/models/stories260K"))) {
            TokenWindows windows = windows(checkpoint, "Once upon a time there was a cat. ".repeat(30), 32);
            Scorer indifferent = scorer(checkpoint.config(), id -> 2);
            Quality quality = Evaluation.run(indifferent, Optional.empty(), windows, Protocol.DEFAULT, Progress.SILENT);
            assertThat(quality.tokensScored()).isEqualTo(windows.count() * 31L);
            assertThat(quality.perplexity()).isCloseTo(512, within(1e-3));
            assertThat(quality.perplexityStandardError()).isCloseTo(0, within(1e-3));
            assertThat(quality.nll()).isCloseTo(Math.log(512), within(1e-6));
            assertThat(quality.bitsPerByte()).isCloseTo(9.0 * quality.tokensScored() / windows.bytes(1), within(1e-5));
            assertThat(quality.divergence()).isEmpty();
        }
    }

    /** KL of two distributions known in closed form: uniform, and one token e times as likely as any other. */
    @Test
    void divergenceIsTheReferencesFromTheModels() throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("data/models/stories260K"))) {
            TokenWindows windows = windows(checkpoint, "Tim had a dog. ".repeat(40), 16);
            Scorer uniform = scorer(checkpoint.config(), id -> 0);
            Scorer leaning = scorer(checkpoint.config(), id -> id == 7 ? 1 : 0);
            Divergence divergence = Evaluation.run(
                            uniform, Optional.of(leaning), windows, Protocol.DEFAULT, Progress.SILENT)
                    .divergence()
                    .orElseThrow();
            double total = 511 + Math.E;
            double expected = Math.E / total * Math.log(Math.E / total * 512) + 511 / total * Math.log(512 / total);
            assertThat(divergence.meanKl()).isCloseTo(expected, within(1e-6));
            assertThat(divergence.p99Kl()).isCloseTo(expected, within(1e-6));
            assertThat(divergence.top1Agreement()).isZero();
        }
    }

    @Test
    void aModelDoesNotDivergeFromItself() throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("data/models/stories260K"));
                CpuModel model = CpuModel.of(checkpoint);
                CpuModel rounded = CpuModel.of(checkpoint.config(), rounded(checkpoint))) {
            TokenWindows windows =
                    windows(checkpoint, "Lily and Ben went to the park. They saw a big dog. ".repeat(9), 64);
            Divergence none = Evaluation.run(model, Optional.of(model), windows, Protocol.DEFAULT, Progress.SILENT)
                    .divergence()
                    .orElseThrow();
            assertThat(none.kl()).isEqualTo(new Estimate(0, 0));
            assertThat(none.klSpread().largest()).isZero();
            assertThat(none.top1()).isEqualTo(new Estimate(1, 0));
            assertThat(none.rmsProbability()).isEqualTo(new Estimate(0, 0));
            assertThat(none.perplexity().ratio()).isEqualTo(new Estimate(1, 0));
            Divergence divergence = Evaluation.run(
                            rounded, Optional.of(model), windows, Protocol.LLAMACPP, Progress.SILENT)
                    .divergence()
                    .orElseThrow();
            assertThat(divergence.meanKl()).isBetween(1e-6, 1e-2);
            assertThat(divergence.p99Kl()).isGreaterThanOrEqualTo(divergence.meanKl());
            assertThat(divergence.top1Agreement()).isBetween(0.9, 1.0);
        }
    }

    /** The checkpoint with all projections that Q8_0 fits rounded to it. */
    private static WeightSource rounded(Checkpoint checkpoint) {
        WeightSource source = WeightSource.of(checkpoint);
        return new WeightSource() {
            @Override
            public Tensor tensor(TensorKey key) {
                Tensor tensor = source.tensor(key);
                boolean round = key.role().projection() && new Q8_0().fits(tensor.columns());
                return round ? tensor.to(new Q8_0()) : tensor;
            }

            @Override
            public boolean has(TensorKey key) {
                return source.has(key);
            }
        };
    }

    @Test
    void refusesWhatCannotBeCompared() throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(SharedData.require("data/models/stories260K"));
                CpuModel model = CpuModel.of(checkpoint);
                CpuModel other = CpuModel.open(SharedData.require("data/models/babyllama105"))) {
            TokenWindows windows = windows(checkpoint, "Tim had a dog. ".repeat(40), 16);
            assertThatThrownBy(
                            () -> Evaluation.run(model, Optional.of(other), windows, Protocol.DEFAULT, Progress.SILENT))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("512")
                    .hasMessageContaining("105");
            TokenWindows tooLong = windows(checkpoint, "Tim had a dog. ".repeat(400), 513);
            assertThatThrownBy(
                            () -> Evaluation.run(model, Optional.empty(), tooLong, Protocol.DEFAULT, Progress.SILENT))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("513");
            TokenWindows tooShort = windows(checkpoint, "Tim had a dog. ", 2);
            assertThatThrownBy(
                            () -> Evaluation.run(model, Optional.empty(), tooShort, Protocol.LLAMACPP, Progress.SILENT))
                    .isInstanceOf(InvalidRequestException.class);
            Scorer broken = scorer(checkpoint.config(), id -> Double.NaN);
            assertThatThrownBy(
                            () -> Evaluation.run(broken, Optional.empty(), windows, Protocol.DEFAULT, Progress.SILENT))
                    .isInstanceOf(MalformedModelException.class);
        }
    }

    private TokenWindows windows(Checkpoint checkpoint, String text, int length) throws IOException {
        Path file = Files.createTempFile(folder, "text", ".txt");
        Files.writeString(file, text);
        return WindowPacker.pack(new TextSource.TextFile(file), checkpoint.requireTokenizer(), length, Progress.SILENT);
    }

    /** Gives each token the same logit after every token. */
    private static Scorer scorer(ModelConfig config, ToDoubleFunction<Integer> logitOf) {
        return new Scorer() {
            @Override
            public ModelConfig config() {
                return config;
            }

            @Override
            public float[] logits(int[] window) {
                float[] logits = new float[window.length * config.vocabularySize()];
                for (int i = 0; i < logits.length; i++) {
                    logits[i] = (float) logitOf.applyAsDouble(i % config.vocabularySize());
                }
                return logits;
            }

            @Override
            public void close() {}
        };
    }
}
