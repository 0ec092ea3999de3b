package dev.demitasse.infer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** GGUF files written by llama.cpp, against logits computed in float64 from gguf-py's dequantized weights. */
class GgufModelsTest {
    private static final int FIRST_POSITION = 8;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
                "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0", "MXFP4"
            })
    void logitsEqualThoseOfTheDequantizedWeights(String type) throws IOException {
        Path folder = SharedData.require("golden/gguf");
        try (SafetensorsFile golden = SafetensorsFile.open(folder.resolve("logits.safetensors"));
                CpuModel model = CpuModel.open(folder.resolve(type + ".gguf"))) {
            int[] ids = golden.tensor("input_ids").toInts();
            Tensor expected = golden.tensor(type + "/f64");
            int vocabulary = expected.columns();
            assertThat(model.config().vocabularySize()).isEqualTo(vocabulary);
            float[] prefill = model.logits(ids);
            float[] decoded = new float[prefill.length];
            try (Session session = model.newSession(ids.length)) {
                for (int t = 0; t < ids.length; t++) {
                    float[] row = session.forward(new int[] {ids[t]}, Logits.LAST);
                    System.arraycopy(row, 0, decoded, t * vocabulary, vocabulary);
                }
            }
            float[] reference = expected.toFloats();
            int from = FIRST_POSITION * vocabulary;
            double scale = 0;
            for (float value : reference) {
                scale = Math.max(scale, Math.abs(value));
            }
            for (int i = 0; i < reference.length; i++) {
                assertThat((double) prefill[from + i]).isCloseTo((double) reference[i], within(1e-5 * scale));
                assertThat((double) decoded[from + i]).isCloseTo((double) reference[i], within(1e-5 * scale));
            }
        }
    }

    /** Rounded inputs cost little, and what they cost is the same for every kernel, to the last bit. */
    @ParameterizedTest
    @ValueSource(strings = {"Q8_0", "Q4_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q6_K", "IQ4_NL"})
    void allKernelsWriteTheSameLogits(String type) throws IOException {
        Path folder = SharedData.require("golden/gguf");
        int[] ids;
        float[] reference;
        try (SafetensorsFile golden = SafetensorsFile.open(folder.resolve("logits.safetensors"))) {
            ids = golden.tensor("input_ids").toInts();
            reference = golden.tensor(type + "/f64").toFloats();
        }
        Path file = folder.resolve(type + ".gguf");
        float[] plain = decoded(file, Kernels.SCALAR, ids);
        assertThat(decoded(file, Kernels.VECTOR, ids)).isEqualTo(plain);
        assertThat(decoded(file, Kernels.AUTO, ids)).isEqualTo(plain);
        double distance = 0;
        double size = 0;
        for (int i = 0; i < reference.length; i++) {
            double difference = plain[plain.length - reference.length + i] - reference[i];
            distance += difference * difference;
            size += (double) reference[i] * reference[i];
        }
        assertThat(Math.sqrt(distance / size)).isBetween(1e-4, 0.03);
    }

    private static float[] decoded(Path file, Kernels kernels, int[] ids) throws IOException {
        try (CpuModel model = CpuModel.open(file, CpuOptions.usual().withKernels(kernels));
                Session session = model.newSession(ids.length)) {
            int vocabulary = model.config().vocabularySize();
            float[] logits = new float[ids.length * vocabulary];
            for (int t = 0; t < ids.length; t++) {
                float[] row = session.forward(new int[] {ids[t]}, Logits.LAST);
                System.arraycopy(row, 0, logits, t * vocabulary, vocabulary);
            }
            return logits;
        }
    }
}
