package dev.demitasse.export.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.export.ExportReport;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.SpecialTokens;
import dev.demitasse.model.gguf.GgufFile;
import dev.demitasse.model.gguf.GgufMetadata;
import dev.demitasse.model.reference.SharedData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against the vocabularies that llama.cpp's converter wrote from the same tokenizers. */
class TokenizerMetadataTest {
    private static ModelConfig config(int vocabulary, SpecialTokens special) throws Exception {
        try (Checkpoint llama = Checkpoint.open(SharedData.require("golden/llama"))) {
            ModelConfig base = llama.config();
            return new ModelConfig(
                    base.family(),
                    vocabulary,
                    base.hiddenSize(),
                    base.layers(),
                    base.attention(),
                    base.feedForward(),
                    base.norm(),
                    base.positions(),
                    base.maximumPositions(),
                    base.tiedHead(),
                    special);
        }
    }

    private static Map<String, Object> metadata(String name, int vocabulary, SpecialTokens special) throws Exception {
        Path file = SharedData.require("data/tokenizers/" + name + "/tokenizer.json");
        return TokenizerMetadata.of(
                file, Files.readString(file), config(vocabulary, special), new ExportReport.Builder());
    }

    private static GgufMetadata reference(String name) throws Exception {
        try (GgufFile file = GgufFile.open(SharedData.require("data/tokenizers/" + name + "/vocab.gguf"))) {
            return file.metadata();
        }
    }

    private static final SpecialTokens LLAMA = new SpecialTokens(OptionalInt.of(1), List.of(2), OptionalInt.empty());

    @Test
    void sentencePieceScoresKeepTheOrderOfMerges() throws Exception {
        Map<String, Object> ours = metadata("llama2", 32000, LLAMA);
        GgufMetadata theirs = reference("llama2");
        assertThat(ours)
                .containsEntry("tokenizer.ggml.model", "llama")
                .containsEntry("tokenizer.ggml.add_bos_token", true)
                .containsEntry("tokenizer.ggml.add_eos_token", false)
                .containsEntry("tokenizer.ggml.add_space_prefix", true)
                .containsEntry("tokenizer.ggml.bos_token_id", 1)
                .containsEntry("tokenizer.ggml.eos_token_id", 2)
                .containsEntry("tokenizer.ggml.unknown_token_id", 0);
        // The tokenizer.json at hand has plain spaces in four pieces where llama.cpp's file has no-break ones.
        List<String> pieces = theirs.list("tokenizer.ggml.tokens", String.class).orElseThrow().stream()
                .map(piece -> piece.replace('\u00a0', ' '))
                .toList();
        assertThat(ours.get("tokenizer.ggml.tokens")).isEqualTo(pieces);
        int[] types = (int[]) ours.get("tokenizer.ggml.token_type");
        assertThat(Arrays.stream(types).asLongStream().boxed().toList())
                .isEqualTo(theirs.list("tokenizer.ggml.token_type", Long.class).orElseThrow());
        float[] scores = (float[]) ours.get("tokenizer.ggml.scores");
        List<Double> reference =
                theirs.list("tokenizer.ggml.scores", Double.class).orElseThrow();
        // SentencePiece's own scores: an order, of which the pieces of one character have no part.
        int[] merged = IntStream.range(259, scores.length)
                .filter(id -> scores[id] > -29_000 && reference.get(id) > -1e8)
                .toArray();
        assertThat(merged.length).isGreaterThan(28_000);
        for (int i = 1; i < merged.length; i++) {
            assertThat(Float.compare(scores[merged[i - 1]], scores[merged[i]]))
                    .as("%d and %d", merged[i - 1], merged[i])
                    .isEqualTo(Double.compare(reference.get(merged[i - 1]), reference.get(merged[i])));
        }
    }

    @Test
    void byteLevelVocabularyEqualsLlamaCpps() throws Exception {
        SpecialTokens end = new SpecialTokens(OptionalInt.of(50256), List.of(50256), OptionalInt.empty());
        Map<String, Object> ours = metadata("gpt2", 50257, end);
        GgufMetadata theirs = reference("gpt2");
        for (String key : List.of("tokens", "merges")) {
            assertThat(ours.get("tokenizer.ggml." + key))
                    .isEqualTo(
                            theirs.list("tokenizer.ggml." + key, String.class).orElseThrow());
        }
        int[] types = (int[]) ours.get("tokenizer.ggml.token_type");
        assertThat(Arrays.stream(types).asLongStream().boxed().toList())
                .isEqualTo(theirs.list("tokenizer.ggml.token_type", Long.class).orElseThrow());
        assertThat(ours)
                .containsEntry("tokenizer.ggml.model", "gpt2")
                .containsEntry("tokenizer.ggml.pre", "gpt-2")
                .containsEntry("tokenizer.ggml.bos_token_id", 50256)
                .containsEntry("tokenizer.ggml.add_bos_token", false);
    }

    /** What llama.cpp calls the way each of these cuts text (llama-vocab.cpp). */
    @ParameterizedTest
    @CsvSource({"llama3, 128256, llama-bpe, true", "qwen2, 151936, qwen2, false", "smollm2, 49152, smollm, false"})
    void namesThePreTokenizer(String name, int vocabulary, String pre, boolean begins) throws Exception {
        Map<String, Object> ours =
                metadata(name, vocabulary, new SpecialTokens(OptionalInt.empty(), List.of(), OptionalInt.empty()));
        assertThat(ours)
                .containsEntry("tokenizer.ggml.model", "gpt2")
                .containsEntry("tokenizer.ggml.pre", pre)
                .containsEntry("tokenizer.ggml.add_bos_token", begins);
        assertThat((List<?>) ours.get("tokenizer.ggml.tokens"))
                .hasSize(vocabulary)
                .doesNotHaveDuplicates();
    }

    @Test
    void aTokenizerLargerThanTheModelIsRefused() {
        assertThatThrownBy(() -> metadata("llama2", 31999, LLAMA))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("31999")
                .hasMessageContaining("31,999 embeddings");
    }

    @Test
    void aTokenizerThatLlamaCppHasNotLeavesIdsOnlyAndSaysSo() throws Exception {
        ExportReport.Builder report = new ExportReport.Builder();
        String unigram = new ObjectMapper()
                .writeValueAsString(Map.of("model", Map.of("type", "Unigram", "vocab", List.of(List.of("a", 0.5)))));
        assertThat(TokenizerMetadata.of(Path.of("x"), unigram, config(8, LLAMA), report))
                .isEqualTo(Map.of("tokenizer.ggml.model", "none"));
        assertThat(report.build(List.of(), 0).notes())
                .singleElement()
                .asString()
                .contains("Unigram");
    }
}
