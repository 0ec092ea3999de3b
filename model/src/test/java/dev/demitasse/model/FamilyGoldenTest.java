package dev.demitasse.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.safetensors.CheckpointWriter;
import dev.demitasse.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checkpoints that transformers saved are read whole, and written again as they were. */
class FamilyGoldenTest {
    /** What a config.json holds for transformers' own use, or by no reason: nothing that its model reads. */
    private static final Map<String, Set<String>> UNREAD = Map.of(
            "falcon_multiquery", Set.of("intermediate_size"),
            "falcon_new_arch", Set.of("intermediate_size"),
            // Which layers slide is written as layer_types, which are sparse as mlp_only_layers.
            "qwen2", Set.of("max_window_layers"),
            "qwen2_moe", Set.of("max_window_layers", "decoder_sparse_step", "mlp_only_layers"),
            "qwen3", Set.of("max_window_layers", "sliding_window"),
            "gemma", Set.of("hidden_act"));

    /** What only training reads, or transformers' own caches. */
    private static final Pattern TRAINING =
            Pattern.compile("router_.*|output_router_logits|.*dropout|.*pdrop|initializer_range|cache_implementation");

    @TempDir
    private Path folder;

    private void copy(Checkpoint source) throws IOException {
        try (CheckpointWriter writer = CheckpointWriter.create(
                folder,
                source.config(),
                source.tokenizer(),
                key -> source.tensor(key).format())) {
            for (TensorKey key : source.config().tensors()) {
                writer.write(key, source.tensor(key));
            }
            writer.commit();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bert_mlm",
                "bloom",
                "distilbert_mlm",
                "falcon_multiquery",
                "falcon_new_arch",
                "gpt2",
                "gpt_neox_parallel",
                "gpt_neox_sequential",
                "gptj",
                "opt",
                "gemma",
                "gemma2",
                "gemma3_text",
                "mixtral",
                "olmo",
                "olmo2",
                "phi",
                "phi3",
                "phi3_longrope",
                "qwen2",
                "qwen2_moe",
                "qwen3",
                "stablelm",
                "starcoder2"
            })
    void isWrittenAsTransformersDoes(String name) throws IOException {
        Path source = SharedData.require("golden/" + name);
        try (Checkpoint original = Checkpoint.open(source)) {
            copy(original);
            try (Checkpoint written = Checkpoint.open(folder)) {
                assertThat(written.config()).isEqualTo(original.config());
            }
        }
        assertSameTensors(folder, source);
        assertSameKeys(folder, source, UNREAD.getOrDefault(name, Set.of()));
    }

    /** Every tensor of the original stands in the copy, under the same name, byte by byte. */
    private static void assertSameTensors(Path copy, Path original) throws IOException {
        try (SafetensorsFile expected = SafetensorsFile.open(original.resolve("model.safetensors"));
                SafetensorsFile actual = SafetensorsFile.open(copy.resolve("model.safetensors"))) {
            assertThat(actual.tensors().keySet())
                    .containsExactlyInAnyOrderElementsOf(expected.tensors().keySet());
            expected.tensors().forEach((name, tensor) -> {
                assertThat(actual.tensor(name).shape()).as(name).isEqualTo(tensor.shape());
                assertThat(actual.tensor(name).data().mismatch(tensor.data()))
                        .as(name)
                        .isEqualTo(-1);
            });
        }
    }

    private static void assertSameKeys(Path copy, Path original, Set<String> unread) throws IOException {
        ObjectMapper json = new ObjectMapper();
        JsonNode written = json.readTree(copy.resolve("config.json").toFile());
        JsonNode expected = json.readTree(original.resolve("config.json").toFile());
        expected.properties().forEach(entry -> {
            String key = entry.getKey();
            JsonNode value = entry.getValue();
            if (key.equals("transformers_version") || unread.contains(key)) {
                return;
            }
            if (TRAINING.matcher(key).matches()) {
                return;
            }
            assertThat(written.has(key)).as(key).isTrue();
            if (value.isNumber()) {
                assertThat(written.get(key).doubleValue()).as(key).isEqualTo(value.doubleValue());
            } else {
                assertThat(written.get(key)).as(key).isEqualTo(value);
            }
        });
    }

    /** The golden README: gpt2_hub_layout is gpt2 without the prefix, with the buffers of masks that it once saved. */
    @Test
    void gpt2IsReadWithoutItsPrefixToo() throws IOException {
        try (Checkpoint plain = Checkpoint.open(SharedData.require("golden/gpt2"));
                Checkpoint hub = Checkpoint.open(SharedData.require("golden/gpt2_hub_layout"))) {
            assertThat(hub.config()).isEqualTo(plain.config());
            for (TensorKey key : plain.config().tensors()) {
                assertThat(hub.tensor(key).data().mismatch(plain.tensor(key).data()))
                        .as(key.toString())
                        .isEqualTo(-1);
            }
        }
    }
}
