package dev.demitasse.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.infer.CpuModel;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.safetensors.CheckpointWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A part all of whose weights are zero contributes nothing: importance must find it, and the model without it must
 * compute the same. The parts lie at scattered places, others in each layer, so that no accident of order helps.
 */
class PruningTest {
    @TempDir
    Path folder;

    private static final PruneOptions ALL = PruneOptions.keepAll(Importance.ACTIVATION);

    /** Prunes by {@code importance} and demands that the logits stay as they were. */
    private PruneReport assertSameLogits(RandomModel model, PruneOptions options) throws IOException {
        Path source = model.write(folder.resolve("source"), ScalarFormat.F32);
        Path output = folder.resolve("pruned-" + options.importance());
        int[][] calibration = model.windows(3, 24, 5);
        int[] text = model.windows(1, 40, 6)[0];
        try (Checkpoint checkpoint = Checkpoint.open(source)) {
            PruneReport report = Pruning.run(checkpoint, options, () -> calibration, output, Progress.SILENT);
            try (CpuModel before = CpuModel.of(checkpoint);
                    CpuModel after = CpuModel.open(output)) {
                assertThat(after.config()).isEqualTo(PruneSizes.apply(model.config, options));
                assertThat(after.config()).isEqualTo(report.after());
                assertClose(after.logits(text), before.logits(text));
            }
            return report;
        }
    }

    private static void assertClose(float[] actual, float[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i]).as("logit %d", i).isCloseTo(expected[i], within(1e-4f));
        }
    }

    @ParameterizedTest
    @CsvSource({"ACTIVATION, false", "ACTIVATION, true", "MAGNITUDE, false", "MAGNITUDE, true"})
    void neuronsThatAreZeroGoUnnoticed(Importance importance, boolean biases) throws IOException {
        RandomModel model = RandomModel.create(biases, true, 1);
        for (int layer = 0; layer < model.config.layers(); layer++) {
            for (int i = 0; i < 32; i++) {
                int neuron = (7 * layer + 11 * i + 3) % 96;
                model.clearRow(Role.GATE, layer, neuron);
                model.clearRow(Role.UP, layer, neuron);
                model.clearColumn(TensorKey.weight(Role.DOWN, layer), neuron);
            }
        }
        PruneReport report =
                assertSameLogits(model, PruneOptions.keepAll(importance).withFeedForward(Keep.fraction(2.0 / 3)));
        assertThat(report.after().feedForward().intermediateSize()).isEqualTo(64);
        assertThat(report.layers()).allSatisfy(cut -> {
            assertThat(cut.kept()).isTrue();
            assertThat(cut.neuronShare()).isEqualTo(1);
        });
    }

    @ParameterizedTest
    @CsvSource({"ACTIVATION, false", "ACTIVATION, true", "MAGNITUDE, false", "MAGNITUDE, true"})
    void headGroupsThatAreZeroGoUnnoticed(Importance importance, boolean biases) throws IOException {
        RandomModel model = RandomModel.create(biases, false, 2);
        for (int layer = 0; layer < model.config.layers(); layer++) {
            int group = (layer + 1) % 4;
            for (int i = 0; i < 12; i++) {
                model.clearRow(Role.VALUE, layer, group * 12 + i);
            }
        }
        PruneReport report =
                assertSameLogits(model, PruneOptions.keepAll(importance).withHeads(Keep.count(3)));
        assertThat(report.after().attention().heads()).isEqualTo(6);
        assertThat(report.after().attention().headDimension()).isEqualTo(12);
    }

    /** The norms divide by the mean over fewer channels; their weights make up for it. */
    @ParameterizedTest
    @CsvSource({"ACTIVATION, false", "ACTIVATION, true", "MAGNITUDE, false", "MAGNITUDE, true"})
    void hiddenChannelsThatAreZeroGoUnnoticed(Importance importance, boolean tied) throws IOException {
        RandomModel model = RandomModel.create(true, tied, 3);
        for (int i = 0; i < 16; i++) {
            int channel = (5 * i + 2) % 64;
            model.clearColumn(TensorKey.weight(Role.EMBEDDING), channel);
            for (int layer = 0; layer < model.config.layers(); layer++) {
                model.clearRow(Role.ATTENTION_OUTPUT, layer, channel);
                model.clearRow(Role.DOWN, layer, channel);
            }
        }
        PruneReport report = assertSameLogits(
                model,
                PruneOptions.keepAll(importance).withHidden(Keep.fraction(0.75)).withMultipleOf(16));
        assertThat(report.after().hiddenSize()).isEqualTo(48);
        assertThat(report.after().attention().headDimension()).isEqualTo(12);
        assertThat(report.channelShare()).isEqualTo(1);
    }

    @ParameterizedTest
    @EnumSource(Importance.class)
    void layersThatWriteNothingGoUnnoticed(Importance importance) throws IOException {
        RandomModel model = RandomModel.create(false, true, 4);
        for (int row = 0; row < model.config.hiddenSize(); row++) {
            model.clearRow(Role.ATTENTION_OUTPUT, 2, row);
            model.clearRow(Role.DOWN, 2, row);
        }
        PruneReport report =
                assertSameLogits(model, PruneOptions.keepAll(importance).withLayers(Keep.fraction(0.75)));
        assertThat(report.layers()).extracting(PruneReport.LayerCut::kept).containsExactly(true, true, false, true);
    }

    @Test
    void theFirstAndLastLayerStayWhileTwoDo() throws IOException {
        RandomModel model = RandomModel.create(false, true, 4);
        try (Checkpoint source = Checkpoint.open(model.write(folder.resolve("source"), ScalarFormat.F32))) {
            PruneReport report = Pruning.run(
                    source,
                    PruneOptions.keepAll(Importance.MAGNITUDE).withLayers(Keep.count(2)),
                    Optional.empty(),
                    folder.resolve("pruned"),
                    Progress.SILENT);
            assertThat(report.layers())
                    .extracting(PruneReport.LayerCut::kept)
                    .containsExactly(true, false, false, true);
        }
    }

    @Test
    void allDimensionsAtOnceMakeAModelThatOpensAndRuns() throws IOException {
        RandomModel model = RandomModel.create(true, false, 7);
        PruneOptions options = ALL.withFeedForward(Keep.fraction(0.5))
                .withHeads(Keep.fraction(0.5))
                .withLayers(Keep.fraction(0.5))
                .withHidden(Keep.fraction(0.5));
        Path output = folder.resolve("pruned");
        try (Checkpoint source = Checkpoint.open(model.write(folder.resolve("source"), ScalarFormat.BF16))) {
            Pruning.run(source, options, () -> model.windows(2, 16, 1), output, Progress.SILENT);
        }
        try (Checkpoint pruned = Checkpoint.open(output);
                CpuModel runnable = CpuModel.of(pruned)) {
            ModelConfig config = pruned.config();
            assertThat(config.feedForward().intermediateSize()).isEqualTo(64);
            assertThat(config.hiddenSize()).isEqualTo(32);
            assertThat(config.attention().heads()).isEqualTo(4);
            assertThat(config.layers()).isEqualTo(2);
            assertThat(pruned.parametersByFormat()).containsExactly(Map.entry("bf16", config.parameters()));
            assertThat(runnable.logits(new int[] {1, 2, 3})).hasSize(150).doesNotContain(Float.NaN);
        }
    }

    @Test
    void whatStaysIsCopiedBitForBit() throws IOException {
        RandomModel model = RandomModel.create(false, true, 8);
        try (Checkpoint source = Checkpoint.open(model.write(folder.resolve("source"), ScalarFormat.BF16))) {
            Scores scores = MagnitudeImportance.measure(source, Progress.SILENT);
            ModelConfig target = PruneSizes.apply(source.config(), ALL.withFeedForward(Keep.count(40)));
            Path output = folder.resolve("pruned");
            Selection kept = Pruning.write(source, target, scores, output, Progress.SILENT);
            try (Checkpoint pruned = Checkpoint.open(output)) {
                TensorKey down = TensorKey.weight(Role.DOWN, 1);
                float[] before = source.tensor(down).toFloats();
                float[] after = pruned.tensor(down).toFloats();
                for (int i = 0; i < after.length; i++) {
                    assertThat(after[i]).isEqualTo(before[i / 40 * 96 + kept.neurons()[1][i % 40]]);
                }
                TensorKey query = TensorKey.weight(Role.QUERY, 3);
                assertThat(pruned.tensor(query)
                                .data()
                                .mismatch(source.tensor(query).data()))
                        .isEqualTo(-1);
            }
        }
    }

    @Test
    void refusesAQuantizedModel() throws IOException {
        RandomModel model = RandomModel.create(false, true, 9);
        Path quantized = folder.resolve("quantized");
        try (CheckpointWriter writer = CheckpointWriter.create(
                quantized,
                model.config,
                Optional.empty(),
                key -> key.role() == Role.QUERY ? new Q8_0() : ScalarFormat.F32)) {
            for (TensorKey key : model.config.tensors()) {
                writer.write(key, Tensor.ofFloats("random", model.weight(key), model.config.shape(key)));
            }
            writer.commit();
        }
        try (Checkpoint source = Checkpoint.open(quantized)) {
            assertRefused(source, ALL.withHeads(Keep.count(1)), "is quantized (q8_0)");
        }
    }

    @Test
    void refusesToRankByActivationWithoutText() throws IOException {
        RandomModel model = RandomModel.create(false, true, 9);
        try (Checkpoint source = Checkpoint.open(model.write(folder.resolve("source"), ScalarFormat.F32))) {
            assertRefused(source, ALL.withHeads(Keep.count(1)), "needs calibration text");
        }
    }

    private void assertRefused(Checkpoint source, PruneOptions options, String message) {
        Path output = folder.resolve("refused");
        assertThatThrownBy(() -> Pruning.run(source, options, Optional.empty(), output, Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining(message);
        assertThat(Files.exists(output)).isFalse();
    }
}
