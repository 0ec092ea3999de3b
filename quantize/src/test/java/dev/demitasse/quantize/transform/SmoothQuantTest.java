package dev.demitasse.quantize.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.Embedding;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.reference.Golden;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.SafetensorsFile;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.grid.RoundToNearest;
import dev.demitasse.quantize.matrix.Matrix;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** SmoothQuant as its authors' code computes it (golden/quant/smoothquant.json), and that folding changes no logits. */
class SmoothQuantTest {
    @ParameterizedTest
    @ValueSource(doubles = {0.5, 0.75})
    void agreesWithThePublishedFactors(double alpha) throws IOException {
        Path folder = SharedData.require("golden/quant");
        try (SafetensorsFile inputs = SafetensorsFile.open(folder.resolve("inputs.safetensors"));
                SafetensorsFile golden = SafetensorsFile.open(folder.resolve("smoothquant.safetensors"))) {
            Matrix weight = Matrix.of(inputs.tensor("W"));
            Matrix activations = Matrix.of(inputs.tensor("X"));
            String name = "alpha" + alpha + "/";
            float[] ranges = columnMaxima(activations);
            assertThat(ranges)
                    .containsExactly(golden.tensor(name + "act_absmax_before").toFloats());

            float[] factors = SmoothQuant.factors(ranges, columnMaxima(weight), alpha);

            float[] expected = golden.tensor(name + "scales").toFloats();
            for (int channel = 0; channel < factors.length; channel++) {
                assertThat(factors[channel]).isCloseTo(expected[channel], within(1e-6f * expected[channel]));
            }
            Matrix smoothedWeight = scaled(weight, factors, 1);
            Matrix smoothedActivations = scaled(activations, factors, -1);
            float[] expectedWeight = golden.tensor(name + "smoothed_W").toFloats();
            for (int i = 0; i < expectedWeight.length; i++) {
                assertThat(smoothedWeight.values()[i]).isCloseTo(expectedWeight[i], within(1e-5f));
            }
            JsonNode figures = new ObjectMapper()
                    .readTree(Files.readString(folder.resolve("smoothquant.json")))
                    .path("cases")
                    .path("alpha" + alpha);
            double before = int8Error(weight, activations, weight, activations);
            double after = int8Error(smoothedWeight, smoothedActivations, weight, activations);
            double expectedBefore = figures.path("w8a8_error_before").asDouble();
            double expectedAfter = figures.path("w8a8_error_after").asDouble();
            assertThat(before).isCloseTo(expectedBefore, within(0.01 * expectedBefore));
            assertThat(after).isCloseTo(expectedAfter, within(0.01 * expectedAfter));
            assertThat(after).isLessThan(before / 2);
        }
    }

    /** A transformed float model computes what the model does: with grouped heads, biases, tied head, experts. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama_tied", "llama_bias_headdim", "mistral_sliding", "mixtral", "gemma2"})
    void transformsLeaveTheLogitsAsTheyAre(String name) throws IOException {
        Factors awq = new Awq(key -> Grid.of(new Q4_0(), 32));
        for (Factors rule :
                List.of(new SmoothQuant(OptionalDouble.of(0.5)), new SmoothQuant(OptionalDouble.empty()), awq)) {
            transformLeavesTheLogitsAsTheyAre(name, rule);
        }
    }

    private static void transformLeavesTheLogitsAsTheyAre(String name, Factors rule) throws IOException {
        Path folder = SharedData.require("golden/" + name);
        int[] ids = Golden.read(folder).sequences().getFirst().inputIds();
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            ModelConfig config = checkpoint.config();
            WeightSource source = WeightSource.of(checkpoint);
            Map<TensorKey, Tensor> smoothed = smoothAll(config, source, ids, rule);
            WeightSource overlay = new WeightSource() {
                @Override
                public Tensor tensor(TensorKey key) {
                    Tensor changed = smoothed.get(key);
                    return changed == null ? source.tensor(key) : changed;
                }

                @Override
                public boolean has(TensorKey key) {
                    return source.has(key);
                }
            };
            assertThat(smoothed).isNotEmpty();
            try (CpuModel exact = CpuModel.of(config, source);
                    CpuModel changed = CpuModel.of(config, overlay)) {
                float[] expected = exact.logits(ids);
                float[] actual = changed.logits(ids);
                for (int i = 0; i < expected.length; i++) {
                    assertThat(actual[i]).isCloseTo(expected[i], within(1e-4f));
                }
            }
        }
    }

    /** As the authors' code does: s = (4 / 1e-5)^½ where the weights are zero, not infinity. */
    @Test
    void clampsWhatIsNearZero() {
        assertThat(SmoothQuant.factors(new float[] {0, 4}, new float[] {1, 0}, 0.5))
                .containsExactly((float) Math.sqrt(1e-5f), (float) (2 / Math.sqrt(1e-5f)));
    }

    private static Map<TensorKey, Tensor> smoothAll(ModelConfig config, WeightSource source, int[] ids, Factors rule) {
        Map<TensorKey, Tensor> smoothed = new HashMap<>();
        float[] hidden = new float[ids.length * config.hiddenSize()];
        Embedding.lookup(config, source, ids, hidden);
        for (int layer = 0; layer < config.layers(); layer++) {
            InputStatistics statistics = new InputStatistics(ids.length, 16);
            DecoderLayer decoder = DecoderLayer.load(config, source, layer);
            decoder.forward(hidden, ids.length, decoder.newCache(ids.length), statistics);
            smoothed.putAll(ScaledLayer.scale(config, source, layer, statistics, rule));
        }
        return smoothed;
    }

    /** |Q(X) Q(W)ᵀ − XWᵀ|² / |XWᵀ|², both rounded to INT8 row by row: weights by output, activations by token. */
    private static double int8Error(Matrix weight, Matrix activations, Matrix exactWeight, Matrix exactActivations) {
        Grid int8 = Grid.of(ScalarFormat.I8, weight.columns()).orElseThrow();
        QuantizedMatrix codes = RoundToNearest.quantize(weight, int8);
        QuantizedMatrix inputs = RoundToNearest.quantize(activations, int8);
        double lost = 0;
        double whole = 0;
        for (int token = 0; token < activations.rows(); token++) {
            for (int output = 0; output < weight.rows(); output++) {
                double rounded = 0;
                double exact = 0;
                for (int channel = 0; channel < weight.columns(); channel++) {
                    rounded += inputs.value(token, channel) * codes.value(output, channel);
                    exact += (double) exactActivations.at(token, channel) * exactWeight.at(output, channel);
                }
                lost += (rounded - exact) * (rounded - exact);
                whole += exact * exact;
            }
        }
        return lost / whole;
    }

    private static Matrix scaled(Matrix matrix, float[] factors, int exponent) {
        Matrix scaled = matrix.copy();
        for (int i = 0; i < scaled.values().length; i++) {
            float factor = factors[i % matrix.columns()];
            scaled.values()[i] = exponent > 0 ? scaled.values()[i] * factor : scaled.values()[i] / factor;
        }
        return scaled;
    }

    private static float[] columnMaxima(Matrix matrix) {
        float[] largest = new float[matrix.columns()];
        for (int i = 0; i < matrix.values().length; i++) {
            int column = i % matrix.columns();
            largest[column] = Math.max(largest[column], Math.abs(matrix.values()[i]));
        }
        return largest;
    }
}
