package dev.demitasse.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.ActivationListener;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.Embedding;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.infer.evaluate.Evaluation;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q4_K;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.quantize.SensitivityOptions.Grouping;
import dev.demitasse.quantize.SensitivityOptions.Measure;
import dev.demitasse.quantize.SensitivityReport.Cost;
import dev.demitasse.quantize.SensitivityReport.Row;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SensitivityTest {
    private static final TensorFormat Q4 = new Q4_0();

    @TempDir
    Path folder;

    private static TokenWindows text(Checkpoint model) {
        Random random = new Random(4);
        int[][] windows = new int[3][];
        Arrays.setAll(
                windows,
                i -> random.ints(32, 0, model.config().vocabularySize()).toArray());
        return TokenWindows.ofTokens("random", List.of(windows));
    }

    private static SensitivityReport measure(
            Checkpoint model, Grouping grouping, Measure measure, TensorFormat... formats) throws IOException {
        return Sensitivity.measure(
                model, new SensitivityOptions(List.of(formats), grouping, measure), text(model), Progress.SILENT);
    }

    private static Row row(SensitivityReport report, String name) {
        return report.rows().stream()
                .filter(row -> row.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    /** The model with those weights replaced, run whole. */
    private static Divergence plain(Checkpoint model, TensorFormat format, List<TensorKey> keys) throws IOException {
        ReplacedWeights replaced = new ReplacedWeights(WeightSource.of(model));
        for (TensorKey key : keys) {
            RoundedTensor rounded = RoundedTensor.nearest(model.tensor(key), format);
            replaced.put(key, rounded.weight());
            rounded.scale().ifPresent(scale -> replaced.put(key.part(Part.SCALE), scale));
        }
        try (CpuModel exact = CpuModel.of(model);
                CpuModel rounded = CpuModel.of(model.config(), replaced)) {
            return Evaluation.run(rounded, Optional.of(exact), text(model), Protocol.DEFAULT, Progress.SILENT)
                    .divergence()
                    .orElseThrow();
        }
    }

    @Test
    void eachGroupCostsWhatTheModelDoesWithItAloneRounded() throws IOException {
        try (Checkpoint model = Checkpoint.open(SharedData.require("golden/llama"))) {
            SensitivityReport report =
                    measure(model, Grouping.ROLE_AND_LAYER, Measure.KL, Q4, new Q8_0(), ScalarFormat.I8);
            int last = model.config().layers() - 1;
            for (TensorKey key : List.of(
                    TensorKey.weight(Role.EMBEDDING),
                    TensorKey.weight(Role.QUERY, 0),
                    TensorKey.weight(Role.UP, 1),
                    TensorKey.weight(Role.ATTENTION_OUTPUT, last),
                    TensorKey.weight(Role.HEAD))) {
                String layer = key.layer() < 0 ? "" : "layer " + key.layer() + " ";
                Row row = row(
                        report,
                        layer
                                + key.role()
                                        .name()
                                        .toLowerCase(java.util.Locale.ROOT)
                                        .replace('_', ' '));
                assertThat(row.tensors()).isEqualTo(1);
                assertThat(row.parameters()).isEqualTo(model.tensor(key).elements());
                for (TensorFormat format : List.of(Q4, ScalarFormat.I8)) {
                    Divergence expected = plain(model, format, List.of(key));
                    assertThat(divergence(row, format).meanKl())
                            .as(row.name() + " " + format.id())
                            .isPositive()
                            .isCloseTo(expected.meanKl(), within(1e-4 * expected.meanKl() + 1e-8));
                }
                assertThat(divergence(row, new Q8_0()).meanKl())
                        .isLessThan(divergence(row, Q4).meanKl());
            }
            List<TensorKey> all = TensorGroup.all(model.config()).keys().stream()
                    .filter(key -> Q4.fits(model.config().columns(key)))
                    .toList();
            assertThat(divergence(report.everything(), Q4).meanKl())
                    .isCloseTo(plain(model, Q4, all).meanKl(), within(1e-5));
        }
    }

    private static Divergence divergence(Row row, TensorFormat format) {
        return cost(row, format).divergence().orElseThrow();
    }

    private static Cost cost(Row row, TensorFormat format) {
        return Optional.ofNullable(row.costs().get(format)).orElseThrow();
    }

    /** Inputs by hooks, products in plain loops. */
    @Test
    void outputErrorsAreThoseOfTheInputsSeen() throws IOException {
        try (Checkpoint model = Checkpoint.open(SharedData.require("data/models/stories260K"));
                CpuModel exact = CpuModel.of(model)) {
            SensitivityReport report = measure(model, Grouping.TENSOR, Measure.OUTPUT, Q4);
            TokenWindows text = text(model);
            TensorKey value = TensorKey.weight(Role.VALUE, 1);
            double[] sums = new double[2];
            ActivationListener listener = (key, input, tokens, width) -> {
                if (key.equals(TensorKey.weight(Role.QUERY, 1))) {
                    float[] weight = model.tensor(value).toFloats();
                    float[] rounded = model.tensor(value).to(Q4).toFloats();
                    for (int token = 0; token < tokens; token++) {
                        for (int row = 0; row < weight.length / width; row++) {
                            double whole = 0;
                            double lost = 0;
                            for (int i = 0; i < width; i++) {
                                double x = input[token * width + i];
                                whole += x * weight[row * width + i];
                                lost += x * (weight[row * width + i] - rounded[row * width + i]);
                            }
                            sums[0] += lost * lost;
                            sums[1] += whole * whole;
                        }
                    }
                }
            };
            for (int window = 0; window < text.count(); window++) {
                float[] hidden = new float[text.length() * model.config().hiddenSize()];
                Embedding.lookup(model.config(), WeightSource.of(model), text.window(window), hidden);
                ResidualStream stream = ResidualStream.of(hidden, text.length());
                exact.advance(0, stream, listener);
                exact.advance(1, stream, listener);
            }
            Cost cost = cost(row(report, model.config().name(value)), Q4);
            assertThat(cost.outputError().orElseThrow()).isCloseTo(sums[0] / sums[1], within(1e-4 * sums[0] / sums[1]));
            assertThat(cost.divergence()).isEmpty();
            double weightError = RoundedTensor.nearest(model.tensor(value), Q4).errorAgainst(model.tensor(value));
            assertThat(cost.weightError()).isCloseTo(weightError, within(1e-6));
            assertThat(cost.bytes()).isEqualTo(model.tensor(value).elements() / 32 * 18);
        }
    }

    @Test
    void groupsHoldAllWeightsOnce() throws IOException {
        for (String name : List.of("golden/mixtral", "golden/qwen2_moe", "golden/gpt2", "golden/phi")) {
            try (Checkpoint model = Checkpoint.open(SharedData.require(name))) {
                int all = TensorGroup.all(model.config()).keys().size();
                for (Grouping grouping : Grouping.values()) {
                    List<TensorGroup> groups = TensorGroup.of(model.config(), grouping);
                    assertThat(groups.stream()
                                    .flatMap(group -> group.keys().stream())
                                    .distinct())
                            .hasSize(all);
                    assertThat(groups.stream()
                                    .mapToInt(group -> group.keys().size())
                                    .sum())
                            .isEqualTo(all);
                }
            }
        }
    }

    @Test
    void aFormatThatFillsNoRowsHasNoCost() throws IOException {
        try (Checkpoint model = Checkpoint.open(SharedData.require("data/models/stories260K"))) {
            SensitivityReport report = measure(model, Grouping.ROLE, Measure.OUTPUT, Q4, new Q4_K());
            assertThat(row(report, "query").costs()).containsOnlyKeys(Q4);
            assertThat(row(report, "query").tensors()).isEqualTo(model.config().layers());
            // 172 columns are no blocks of 32 either.
            assertThat(row(report, "down").costs()).isEmpty();
            assertThat(cost(report.everything(), Q4).left())
                    .isEqualTo(model.config().layers());
        }
    }

    @Test
    void refusesWhatIsRoundedAlready() throws IOException {
        Path q4 = folder.resolve("q4");
        try (Checkpoint model = Checkpoint.open(SharedData.require("data/models/stories260K"))) {
            QuantizeOptions options = QuantizeOptions.of(QuantizeOptions.Method.RTN, new Q8_0());
            Quantization.run(model, options, Optional.empty(), q4, Progress.SILENT);
        }
        try (Checkpoint rounded = Checkpoint.open(q4)) {
            assertThatThrownBy(() -> measure(rounded, Grouping.ROLE, Measure.OUTPUT, Q4))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("quantized already");
        }
    }
}
