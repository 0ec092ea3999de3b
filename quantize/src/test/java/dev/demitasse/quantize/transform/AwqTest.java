package dev.demitasse.quantize.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.SafetensorsFile;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.RoundToNearest;
import dev.demitasse.quantize.matrix.Hessian;
import dev.demitasse.quantize.matrix.Matrix;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** AWQ's scales and clipping as published: an independent float64 implementation of llm-awq's (golden/quant/awq.json). */
class AwqTest {
    /** What the golden's README of cross checks allows of the clipping, whose ties rounding decides. */
    private static final double DIFFERING_CLIPS = 0.0157;

    @ParameterizedTest
    @ValueSource(ints = {32, 128})
    void findsThePublishedFactors(int group) throws IOException {
        Path folder = SharedData.require("golden/quant");
        try (SafetensorsFile inputs = SafetensorsFile.open(folder.resolve("inputs.safetensors"));
                SafetensorsFile golden = SafetensorsFile.open(folder.resolve("awq.safetensors"))) {
            Matrix weight = Matrix.of(inputs.tensor("W"));
            Matrix sample = Matrix.of(inputs.tensor("X"));
            String name = "g" + group + "/";
            JsonNode expected = new ObjectMapper()
                    .readTree(Files.readString(folder.resolve("awq.json")))
                    .path("cases")
                    .path("g" + group);
            Grid grid = Grid.spanning(4, group);

            Awq.Choice choice = Awq.search(weight, sample, meanMagnitudes(sample), grid);

            double outputs = (double) sample.rows() * weight.rows();
            for (int step = 0; step < choice.errors().length; step++) {
                double mean = expected.path("mse").path(step).asDouble();
                assertThat(choice.errors()[step] / outputs).isCloseTo(mean, within(1e-4 * mean));
            }
            assertClose(choice.factors(), golden.tensor(name + "scales").toFloats(), 2e-6f);
            assertClose(
                    RoundToNearest.quantize(weight, grid).dequantized().values(),
                    golden.tensor(name + "rtn_dequant").toFloats(),
                    2e-5f);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {32, 128})
    void clipsAsPublished(int group) throws IOException {
        Path folder = SharedData.require("golden/quant");
        try (SafetensorsFile inputs = SafetensorsFile.open(folder.resolve("inputs.safetensors"));
                SafetensorsFile golden = SafetensorsFile.open(folder.resolve("awq.safetensors"))) {
            Matrix weight = Matrix.of(inputs.tensor("W"));
            Matrix sample = Matrix.of(inputs.tensor("X"));

            Hessian hessian = new Hessian(sample.columns());
            hessian.add(sample.values(), sample.rows());
            float[] bounds = Clipping.bounds(weight, hessian.moment(), Grid.spanning(4, group));

            float[] expected = golden.tensor("g" + group + "/clip_max").toFloats();
            int differing = 0;
            for (int i = 0; i < bounds.length; i++) {
                differing += Math.abs(bounds[i] - expected[i]) > 1e-5f * expected[i] ? 1 : 0;
            }
            assertThat((double) differing / bounds.length).isLessThanOrEqualTo(DIFFERING_CLIPS);
        }
    }

    private static float[] meanMagnitudes(Matrix sample) {
        float[] means = new float[sample.columns()];
        for (int column = 0; column < means.length; column++) {
            double sum = 0;
            for (int token = 0; token < sample.rows(); token++) {
                sum += Math.abs(sample.at(token, column));
            }
            means[column] = (float) (sum / sample.rows());
        }
        return means;
    }

    private static void assertClose(float[] actual, float[] expected, float tolerance) {
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            largest = Math.max(largest, Math.abs(actual[i] - expected[i]) / Math.max(1e-3, Math.abs(expected[i])));
        }
        assertThat(largest).isLessThan(tolerance);
    }
}
