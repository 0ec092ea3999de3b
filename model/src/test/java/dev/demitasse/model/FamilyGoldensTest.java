package dev.demitasse.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.CheckpointWriter;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Checkpoints that transformers saved are read whole, and written again as transformers saved them. */
class FamilyGoldensTest {
    /** What says nothing about what a trained model computes, or says what is written under another key. */
    private static final List<String> WITHOUT_MEANING = List.of(
            "transformers_version",
            "torch_dtype",
            "use_cache",
            "initializer_range",
            "dropout",
            "cache_implementation",
            "output_router_logits",
            "pretraining_tp",
            "is_decoder",
            // Which layers slide is written as layer_types, and which are sparse as mlp_only_layers.
            "max_window_layers",
            "decoder_sparse_step",
            "bos_token_id",
            "eos_token_id",
            "pad_token_id");

    @TempDir
    private Path folder;

    static Stream<String> goldens() throws IOException {
        return SharedData.goldens();
    }

    @ParameterizedTest
    @MethodSource("goldens")
    void isWrittenAsItWas(String name) throws IOException {
        Path source = SharedData.require("golden/" + name);
        try (Checkpoint read = Checkpoint.open(source)) {
            try (CheckpointWriter writer = CheckpointWriter.create(
                    folder,
                    read.config(),
                    read.tokenizer(),
                    key -> read.tensor(key).format())) {
                for (TensorKey key : read.config().tensors()) {
                    writer.write(key, read.tensor(key));
                }
                writer.commit();
            }
            try (Checkpoint written = Checkpoint.open(folder)) {
                assertThat(written.config()).isEqualTo(read.config());
            }
        }
        assertSameTensors(source);
    }

    private void assertSameTensors(Path source) throws IOException {
        List<SafetensorsFile> originals = new ArrayList<>();
        try (SafetensorsFile written = SafetensorsFile.open(folder.resolve("model.safetensors"));
                Stream<Path> files = java.nio.file.Files.list(source)) {
            for (Path file : files.filter(path -> path.getFileName().toString().matches("model.*\\.safetensors"))
                    .toList()) {
                originals.add(SafetensorsFile.open(file));
            }
            for (SafetensorsFile original : originals) {
                for (Tensor tensor : original.tensors().values()) {
                    Tensor again = written.tensors().entrySet().stream()
                            .filter(entry -> entry.getKey().equals(tensor.name())
                                    || entry.getKey().endsWith("." + tensor.name()))
                            .map(Map.Entry::getValue)
                            .findFirst()
                            .orElse(null);
                    // GPT-2's mask buffers are no weights.
                    if (again == null && tensor.name().matches(".*attn\\.(masked_)?bias")) {
                        continue;
                    }
                    assertThat(again).as(tensor.name()).isNotNull();
                    assertThat(again.shape()).as(tensor.name()).isEqualTo(tensor.shape());
                    assertThat(again.data().mismatch(tensor.data()))
                            .as(tensor.name())
                            .isEqualTo(-1);
                }
            }
        } finally {
            originals.forEach(SafetensorsFile::close);
        }
    }

    /** Every key that transformers wrote is written with the same value, but for those that change nothing. */
    @ParameterizedTest
    @MethodSource("goldens")
    void configKeepsItsKeys(String name) throws IOException {
        Path file = SharedData.require("golden/" + name).resolve("config.json");
        ModelConfig config = Families.read(ConfigJson.read(file));
        JsonNode written = config.family().write(config);
        JsonNode original = new ObjectMapper().readTree(file.toFile());
        for (Map.Entry<String, JsonNode> entry : original.properties()) {
            String key = entry.getKey();
            JsonNode value = entry.getValue();
            boolean means = !WITHOUT_MEANING.contains(key)
                    && !key.contains("dropout")
                    && !key.contains("pdrop")
                    && !key.startsWith("summary_")
                    && !key.startsWith("router_")
                    && !value.isContainerNode();
            if (means && written.has(key) && !value.isNull()) {
                if (value.isNumber()) {
                    assertThat(written.get(key).doubleValue()).as(key).isEqualTo(value.doubleValue());
                } else if (!key.contains("act")) {
                    assertThat(written.get(key)).as(key).isEqualTo(value);
                }
            }
        }
        ModelConfig again = Families.read(new ConfigJson(file, written));
        assertThat(again).isEqualTo(config);
    }
}
