package dev.demitasse.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.tokenizer.TokenizerCases.Case;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Folders without a tokenizer.json. */
class TokenizerFolderTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    private Tokenizer read() throws IOException {
        return TokenizerFolder.read(folder).orElseThrow();
    }

    /** llama.cpp's cases, from SentencePiece's own file. */
    @Test
    void tokenizerModelEncodesAsTheModelsAuthorsDo() throws IOException {
        Files.copy(SharedData.require("data/tokenizers/llama2/tokenizer.model"), folder.resolve("tokenizer.model"));
        Tokenizer tokenizer = read();
        SoftAssertions all = new SoftAssertions();
        for (Case each : TokenizerCases.of("llama2")) {
            all.assertThat(tokenizer.encode(each.text())).as(each.text()).isEqualTo(each.ids());
        }
        all.assertAll();
        assertThat(tokenizer.beginToken()).hasValue(1);
        assertThat(tokenizer.encodeWithSpecial("a")).hasSize(2);
    }

    @Test
    void configurationSaysWhatStandsAround() throws IOException {
        Files.copy(SharedData.require("data/tokenizers/llama2/tokenizer.model"), folder.resolve("tokenizer.model"));
        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"add_bos_token": false, "add_eos_token": true, "eos_token": {"content": "<|im_end|>"},
                 "added_tokens_decoder": {
                   "32001": {"content": "<|im_end|>", "special": true},
                   "32002": {"content": "<tool>", "special": false}}}""");
        Tokenizer tokenizer = read();
        assertThat(tokenizer.vocabularySize()).isEqualTo(32_003);
        assertThat(tokenizer.encodeWithSpecial("<|im_end|><tool>")).containsExactly(32_001, 32_002, 32_001);
        assertThat(tokenizer.decode(new int[] {32_001, 32_002})).isEqualTo("<tool>");
        assertThat(tokenizer.beginToken()).isEmpty();
    }

    /**
     * A model without byte tokens, checked with its tokenizer.json. Its file asks for runs of spaces to be one, by
     * SentencePiece's default, which transformers' conversion passes over.
     */
    @Test
    void tokenizerModelEqualsItsTokenizerJson() throws IOException {
        Path source = SharedData.require("data/models/babyllama105");
        Files.copy(source.resolve("tokenizer.model"), folder.resolve("tokenizer.model"));
        Files.copy(source.resolve("tokenizer_config.json"), folder.resolve("tokenizer_config.json"));
        Tokenizer model = read();
        Tokenizer json = Tokenizer.read(source.resolve("tokenizer.json"));
        for (String text : List.of("A cat sat.", "a你b", "")) {
            assertThat(model.encodeWithSpecial(text)).as(text).isEqualTo(json.encodeWithSpecial(text));
        }
        assertThat(model.encode("  two   spaces ")).isEqualTo(json.encode("two spaces"));
    }

    /** GPT-2's older files hold what its tokenizer.json holds. */
    @Test
    void vocabularyAndMerges() throws IOException {
        JsonNode json = JSON.readTree(Files.readString(SharedData.require("data/tokenizers/gpt2/tokenizer.json")));
        Files.writeString(
                folder.resolve("vocab.json"), json.path("model").path("vocab").toString());
        List<String> merges = new ArrayList<>(List.of("#version: 0.2"));
        json.path("model").path("merges").forEach(merge -> merges.add(merge.asText()));
        Files.write(folder.resolve("merges.txt"), merges);
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                "{\"tokenizer_class\": \"GPT2Tokenizer\", \"eos_token\": \"<|endoftext|>\"}");
        Tokenizer tokenizer = read();
        for (Case each : TokenizerCases.of("gpt2")) {
            assertThat(tokenizer.encode(each.text())).as(each.text()).isEqualTo(each.ids());
        }
        assertThat(tokenizer.encode("<|endoftext|>")).containsExactly(50_256);
        assertThat(tokenizer.vocabularySize()).isEqualTo(50_257);
    }

    /** Ids by hand, after BERT's rules (github.com/google-research/bert, tokenization.py). */
    @Test
    void vocabularyOfWordPieces() throws IOException {
        Files.write(
                folder.resolve("vocab.txt"),
                List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", "cafe", ",", "你"));
        Tokenizer tokenizer = read();
        assertThat(tokenizer.encodeWithSpecial("UNaffable, Café你xyz")).containsExactly(2, 5, 6, 7, 9, 8, 10, 1, 3);
        assertThat(tokenizer.decode(new int[] {2, 5, 6, 7, 9, 8, 3})).isEqualTo("unaffable, cafe");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"do_lower_case\": false}");
        assertThat(read().encode("UNaffable cafe")).containsExactly(1, 8);
    }

    @Test
    void unknownRulesAreNotGuessed() throws IOException {
        Files.writeString(folder.resolve("vocab.json"), "{}");
        Files.writeString(folder.resolve("merges.txt"), "");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"tokenizer_class\": \"OddTokenizer\"}");
        assertThatThrownBy(this::read)
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("OddTokenizer");
    }

    @Test
    void brokenFilesAreRefused() throws IOException {
        byte[] whole = Files.readAllBytes(SharedData.require("data/models/babyllama105/tokenizer.model"));
        Path file = folder.resolve("tokenizer.model");
        Random random = new Random(11);
        for (int run = 0; run < 2_000; run++) {
            byte[] broken = whole.clone();
            for (int change = 0; change < 3; change++) {
                broken[random.nextInt(broken.length)] = (byte) random.nextInt(256);
            }
            Files.write(file, run % 4 == 0 ? Arrays.copyOf(broken, random.nextInt(whole.length)) : broken);
            try {
                SentencePieceModel.read(file);
            } catch (MalformedModelException | InvalidRequestException e) {
                assertThat(e).hasMessageContaining("tokenizer.model");
            }
        }
    }

    @Test
    void emptyFolderHasNone() throws IOException {
        assertThat(TokenizerFolder.read(folder)).isEmpty();
    }
}
