package dev.demitasse.export.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.FamilyConfigs;
import dev.demitasse.model.reference.TinyModel;
import dev.demitasse.model.safetensors.CheckpointWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Families and forms without reference folders: to GGUF and back to a Hugging Face checkpoint, or refused by name. */
class GgufFamilyTest {
    @TempDir
    private Path folder;

    private ModelConfig write(String name, Path checkpoint) throws IOException {
        ModelConfig config = Families.read(ConfigJson.parse(Path.of(name), FamilyConfigs.text(name)));
        TinyModel.write(checkpoint, config, key -> ScalarFormat.F32);
        return config;
    }

    private Path export(Path checkpoint) throws IOException {
        Path file = folder.resolve("model.gguf");
        try (Checkpoint source = Checkpoint.open(checkpoint)) {
            GgufExport.write(source, GgufOptions.asStored(), file, Progress.SILENT);
        }
        return file;
    }

    /** Files of weights are equal byte by byte: fused, grouped and transposed matrices find their way back. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "bloom",
                "falcon_one_norm",
                "gpt_bigcode",
                "gpt_bigcode_multi_head",
                "mpt_clipped",
                "mpt_learned",
                "mpt_normed",
                "openelm"
            })
    void comesBackAsTheSameCheckpoint(String name) throws IOException {
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        ModelConfig config = write(name, first);
        try (Checkpoint read = Checkpoint.open(export(first));
                CheckpointWriter writer =
                        CheckpointWriter.create(second, read.config(), read.tokenizer(), key -> ScalarFormat.F32)) {
            assertThat(read.config().tensors()).isEqualTo(config.tensors());
            for (TensorKey key : read.config().tensors()) {
                writer.write(key, read.tensor(key));
            }
            writer.commit();
        }
        assertThat(second.resolve("model.safetensors")).hasSameBinaryContentAs(first.resolve("model.safetensors"));
        try (Checkpoint again = Checkpoint.open(second)) {
            assertThat(again.config())
                    .usingRecursiveComparison()
                    .ignoringFields("specialTokens", "family")
                    .withComparatorForType((a, b) -> Math.abs(a - b) <= 1e-6 * Math.abs(b) ? 0 : 1, Double.class)
                    .isEqualTo(config);
        }
    }

    /** llama.cpp would open these and compute something else. */
    @ParameterizedTest
    @CsvSource({
        "falcon_rw, ALiBi",
        "gpt2_layer_scales, attention scale",
        "mpt, attention scale",
        "mpt_authors, scale of logits",
        "gpt_neo, which llama.cpp and so GGUF does not have",
        "opt_350m, which llama.cpp and so GGUF does not have",
        "roberta, which llama.cpp and so GGUF does not have"
    })
    void whatLlamaCppCannotSayIsRefused(String name, String why) throws IOException {
        Path checkpoint = folder.resolve("checkpoint");
        write(name, checkpoint);
        assertThatThrownBy(() -> export(checkpoint))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining(why);
        assertThat(Files.exists(folder.resolve("model.gguf"))).isFalse();
    }
}
