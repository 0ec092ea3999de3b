package dev.demitasse.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorForm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against files that llama.cpp wrote, and what gguf-py decodes them to. */
class GgufReferenceTest {
    private static List<String> types() {
        return List.of(
                "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
                "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0", "MXFP4");
    }

    private static List<String> packed() {
        return types().stream().filter(type -> !type.equals("F32")).toList();
    }

    private static Path golden(String name) {
        return SharedData.require("golden/gguf").resolve(name);
    }

    @ParameterizedTest
    @MethodSource("types")
    void everyTensorDecodesToGgufPysFloats(String type) throws Exception {
        JsonNode hashes =
                new ObjectMapper().readTree(golden("dequantized.sha256.json").toFile());
        try (GgufFile file = GgufFile.open(golden(type + ".gguf"))) {
            assertThat(file.tensors()).hasSize(11);
            for (String name : file.tensors().keySet()) {
                assertThat(sha256(file.tensor(name)))
                        .as(type + "/" + name)
                        .isEqualTo(hashes.path(type + "/" + name).asText());
            }
        }
    }

    private static String sha256(Tensor tensor) throws NoSuchAlgorithmException {
        Tensor floats = tensor.to(ScalarFormat.F32);
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(floats.data().toArray(ValueLayout.JAVA_BYTE));
        return HexFormat.of().formatHex(hash);
    }

    @ParameterizedTest
    @MethodSource("packed")
    void rowsDecodeToGgufPysFloats(String type) throws IOException {
        try (GgufFile file = GgufFile.open(golden(type + ".gguf"));
                SafetensorsFile rows = SafetensorsFile.open(golden("dequantized.safetensors"))) {
            for (String name : List.of("blk.0.attn_output.weight", "blk.0.ffn_gate.weight")) {
                Tensor expected = rows.tensor(type + "/" + name);
                int[] numbers = new ObjectMapper().readValue(rows.metadata().get("rows_" + name), int[].class);
                float[] row = new float[expected.columns()];
                float[] expectedRow = new float[expected.columns()];
                for (int i = 0; i < numbers.length; i++) {
                    file.tensor(name).readRow(numbers[i], row, 0);
                    expected.readRow(i, expectedRow, 0);
                    assertThat(row).as(name + " row " + numbers[i]).isEqualTo(expectedRow);
                }
            }
        }
    }

    /** llama-quantize's bytes equal gguf-py's for these types, says the folder's README; ours must too. */
    @ParameterizedTest
    @ValueSource(strings = {"F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "TQ1_0", "TQ2_0", "MXFP4"})
    void ourEncodersGiveLlamaQuantizesBytes(String type) throws IOException {
        TensorFormat format = TensorFormat.of(type).orElseThrow();
        try (GgufFile source = GgufFile.open(golden("F32.gguf"));
                GgufFile target = GgufFile.open(golden(type + ".gguf"))) {
            for (String name : source.tensors().keySet()) {
                Tensor expected = target.tensor(name);
                if (expected.format().equals(format)) {
                    Tensor ours = source.tensor(name).to(format);
                    assertThat(ours.data().mismatch(expected.data())).as(name).isEqualTo(-1);
                }
            }
        }
    }

    /** Squared error of every tensor, ours against what llama-quantize made of the same floats. */
    @ParameterizedTest
    @MethodSource("types")
    void ourEncodersAreAsAccurateAsLlamaQuantizes(String type) throws IOException {
        TensorFormat format = TensorFormat.of(type).orElseThrow();
        try (GgufFile source = GgufFile.open(golden("F32.gguf"));
                GgufFile target = GgufFile.open(golden(type + ".gguf"))) {
            for (String name : source.tensors().keySet()) {
                if (target.tensor(name).format().equals(format)) {
                    float[] exact = source.tensor(name).toFloats();
                    double ours =
                            squaredError(exact, source.tensor(name).to(format).toFloats());
                    double theirs = squaredError(exact, target.tensor(name).toFloats());
                    assertThat(ours).as(name).isLessThanOrEqualTo(theirs);
                }
            }
        }
    }

    private static double squaredError(float[] exact, float[] rounded) {
        double sum = 0;
        for (int i = 0; i < exact.length; i++) {
            double difference = (double) exact[i] - rounded[i];
            sum += difference * difference;
        }
        return sum;
    }

    @Test
    void everyTypesFileHasASoundLayout() throws IOException {
        try (var files = Files.list(golden(""))) {
            for (Path path :
                    files.filter(file -> file.toString().endsWith(".gguf")).toList()) {
                try (GgufFile file = GgufFile.open(path)) {
                    assertThat(file.tensors()).as(path.toString()).isNotEmpty();
                    assertThat(file.tensors().values())
                            .allSatisfy(entry -> assertThat(entry.type()).isPresent());
                }
            }
        }
    }

    /** The same model as GGUF and in Hugging Face layout: equal configuration, equal weights but for q's and k's rows. */
    @Test
    void agreesWithTheCheckpointItWasMadeFrom() throws IOException {
        Path folder = SharedData.require("data/models/stories260K");
        try (Checkpoint gguf = Checkpoint.open(golden("stories260K-f32.gguf"));
                Checkpoint source = Checkpoint.open(folder)) {
            ModelConfig config = gguf.config();
            assertThat(config.positions()).isInstanceOf(Rotary.class);
            Rotary rotary = (Rotary) config.positions();
            assertThat(rotary.pairing()).isEqualTo(Pairing.INTERLEAVED);
            assertThat(config.huggingFaceForm()).isEqualTo(source.config());
            for (TensorKey key : config.tensors()) {
                Tensor tensor = TensorForm.convert(gguf.tensor(key), key, config, source.config());
                assertThat(Arrays.equals(tensor.toFloats(), source.tensor(key).toFloats()))
                        .as(key.toString())
                        .isTrue();
            }
        }
    }
}
