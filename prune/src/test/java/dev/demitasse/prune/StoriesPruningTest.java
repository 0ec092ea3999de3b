package dev.demitasse.prune;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.datasets.TextSource;
import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.datasets.WindowPacker;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Pruning of a trained model (a Llama of 3 million parameters that writes children's stories). */
class StoriesPruningTest {
    private static final int LENGTH = 128;

    @TempDir
    Path folder;

    /**
     * Calibration text tells the parts that matter better than the size of weights does, and better than chance, before
     * any retraining (Minitron, arXiv:2407.14679 §4.1; that plain weight norms can do worse than chance is LLM-Pruner's
     * finding, arXiv:2305.11627).
     */
    @ParameterizedTest
    @ValueSource(strings = {"ffn", "heads", "hidden"})
    void activationsLoseLessThanMagnitudesAndThanChance(String dimension) throws IOException {
        try (Checkpoint source = Checkpoint.open(SharedData.require("data/models/stories3M"))) {
            PruneOptions all = PruneOptions.keepAll(Importance.ACTIVATION);
            ModelConfig target = PruneSizes.apply(
                    source.config(),
                    switch (dimension) {
                        case "ffn" -> all.withFeedForward(Keep.fraction(0.5));
                        case "heads" -> all.withHeads(Keep.count(1));
                        default -> all.withHidden(Keep.fraction(0.75));
                    });
            TokenWindows windows = windows(source, 48);
            TokenWindows test = windows.take(24, 48);
            int[][] calibration = Pruning.windows(Optional.of(windows.take(0, 24)));
            double activation =
                    loss(source, target, ActivationImportance.measure(source, calibration, Progress.SILENT), test);
            double magnitude = loss(source, target, MagnitudeImportance.measure(source, Progress.SILENT), test);
            double chance = loss(source, target, random(source.config()), test);
            assertThat(activation).isLessThan(magnitude);
            assertThat(activation).isLessThan(chance);
        }
    }

    private static TokenWindows windows(Checkpoint source, int count) {
        Path text = SharedData.require("data/text/tinystories_10k.txt");
        TextSource stories = new TextSource.TextFile(text, Optional.of("<|endoftext|>"));
        return WindowPacker.pack(stories, source.requireTokenizer(), LENGTH, count, Progress.SILENT);
    }

    private static Scores random(ModelConfig config) {
        Random random = new Random(1);
        int layers = config.layers();
        double[][] energy = new double[2 * layers + 1][config.hiddenSize()];
        for (double[] row : energy) {
            Arrays.fill(row, 1);
        }
        double[][] neurons = new double[layers][];
        double[][] groups = new double[layers][];
        for (int layer = 0; layer < layers; layer++) {
            neurons[layer] =
                    random.doubles(config.feedForward().intermediateSize()).toArray();
            groups[layer] = random.doubles(config.attention().keyValueHeads()).toArray();
        }
        return new Scores(
                neurons,
                groups,
                random.doubles(layers).toArray(),
                random.doubles(config.hiddenSize()).toArray(),
                energy);
    }

    /** Mean cross-entropy per token, nats. */
    private double loss(Checkpoint source, ModelConfig target, Scores scores, TokenWindows windows) throws IOException {
        Path output = Files.createTempDirectory(folder, "pruned");
        Pruning.write(source, target, scores, output, Progress.SILENT);
        int vocabulary = target.vocabularySize();
        double sum = 0;
        try (CpuModel model = CpuModel.open(output)) {
            for (int number = 0; number < windows.count(); number++) {
                int[] window = windows.window(number);
                float[] logits = model.logits(window);
                for (int i = 0; i + 1 < window.length; i++) {
                    double total = 0;
                    for (int j = 0; j < vocabulary; j++) {
                        total += Math.exp(logits[i * vocabulary + j]);
                    }
                    sum += Math.log(total) - logits[i * vocabulary + window[i + 1]];
                }
            }
        }
        return sum / windows.count() / (LENGTH - 1);
    }

    /** A GGUF file holds the rows of q and k in another order; pruned, it gives what the folder it was made from gives. */
    @Test
    void aGgufFileGivesWhatItsCheckpointGives() throws IOException {
        PruneOptions options = PruneOptions.keepAll(Importance.MAGNITUDE)
                .withFeedForward(Keep.fraction(0.5))
                .withHeads(Keep.fraction(0.5))
                .withHidden(Keep.fraction(0.5));
        for (String file : List.of("data/models/stories260K", "golden/gguf/stories260K-f32.gguf")) {
            try (Checkpoint source = Checkpoint.open(SharedData.require(file))) {
                Path output = folder.resolve(file.endsWith("gguf") ? "of-file" : "of-folder");
                Pruning.run(source, options, Optional.empty(), output, Progress.SILENT);
            }
        }
        try (Checkpoint ofFolder = Checkpoint.open(folder.resolve("of-folder"));
                Checkpoint ofFile = Checkpoint.open(folder.resolve("of-file"))) {
            for (TensorKey key : ofFolder.config().tensors()) {
                assertThat(ofFile.tensor(key).toFloats())
                        .as(key.toString())
                        .isEqualTo(ofFolder.tensor(key).toFloats());
            }
        }
    }

    /** config.json of a pruned model is its source's, which transformers saved, but for the sizes. */
    @Test
    void configIsWhatTransformersWouldSave() throws IOException {
        Path model = SharedData.require("data/models/stories3M");
        PruneOptions options = PruneOptions.keepAll(Importance.MAGNITUDE)
                .withFeedForward(Keep.fraction(0.5))
                .withHeads(Keep.count(1))
                .withLayers(Keep.count(4))
                .withHidden(Keep.fraction(0.67));
        try (Checkpoint source = Checkpoint.open(model)) {
            Pruning.run(source, options, Optional.empty(), folder, Progress.SILENT);
        }
        ObjectMapper json = new ObjectMapper();
        ObjectNode expected =
                (ObjectNode) json.readTree(model.resolve("config.json").toFile());
        expected.put("intermediate_size", 256);
        expected.put("num_attention_heads", 3);
        expected.put("num_key_value_heads", 1);
        expected.put("num_hidden_layers", 4);
        expected.put("hidden_size", 128);
        expected.put("head_dim", 32);
        assertThat(json.readTree(folder.resolve("config.json").toFile())).isEqualTo(expected);
        assertThat(Files.readString(folder.resolve("tokenizer.json")))
                .isEqualTo(Files.readString(model.resolve("tokenizer.json")));
    }
}
