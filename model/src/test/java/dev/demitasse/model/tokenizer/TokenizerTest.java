package dev.demitasse.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.tokenizer.TokenizerCases.Case;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@TestInstance(Lifecycle.PER_CLASS)
class TokenizerTest {
    private static final List<String> TEXTS = List.of(
            "",
            " ",
            "Once upon a time, there was a little girl named Lily.",
            "  two  spaces\tand\na line\n\n",
            "Zoë said: “Ça va?” 你好, мир! 🦙🚀 \u200d½",
            "x1234567 == 89; don't");

    /** Each is read once: the large ones take a second. */
    private final Map<String, Tokenizer> read = new HashMap<>();

    private Tokenizer shared(String folder) throws IOException {
        if (!read.containsKey(folder)) {
            read.put(folder, Tokenizer.read(SharedData.require("data/" + folder).resolve("tokenizer.json")));
        }
        return read.get(folder);
    }

    /** The ids that llama.cpp's test files record for each model's own tokenizer. */
    @ParameterizedTest
    @ValueSource(strings = {"llama2", "gpt2", "llama3", "qwen2"})
    void encodesAsTheModelsAuthorsDo(String name) throws IOException {
        Tokenizer tokenizer = shared("tokenizers/" + name);
        SoftAssertions all = new SoftAssertions();
        List<Case> cases = TokenizerCases.of(name);
        for (Case each : cases) {
            all.assertThat(tokenizer.encode(each.text())).as(each.text()).isEqualTo(each.ids());
        }
        all.assertThat(cases).hasSize(46);
        all.assertAll();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tokenizers/llama2",
                "tokenizers/gpt2",
                "tokenizers/smollm2",
                "tokenizers/llama3",
                "tokenizers/qwen2",
                "models/stories260K",
                "models/stories3M"
            })
    void decodesWhatItEncoded(String folder) throws IOException {
        Tokenizer tokenizer = shared(folder);
        for (String text : TEXTS) {
            assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
        }
    }

    /** A model without byte tokens: what it cannot spell is unknown, and left out of the text. */
    @Test
    void unknownCharactersWithoutByteTokens() throws IOException {
        Tokenizer tokenizer = shared("models/babyllama105");
        assertThat(tokenizer.vocabularySize()).isEqualTo(105);
        assertThat(tokenizer.decode(tokenizer.encode("A cat."))).isEqualTo("A cat.");
        assertThat(tokenizer.encode("a你b")).contains(0);
        assertThat(tokenizer.decode(tokenizer.encode("a你b"))).isEqualTo("ab");
    }

    @Test
    void longTextsAreNotCut() throws IOException {
        String text = "Lily and Tom went to the park. ".repeat(2000);
        // gpt2's tokenizer.json itself asks for 50 tokens at most.
        for (String folder : List.of("models/stories260K", "tokenizers/gpt2")) {
            Tokenizer tokenizer = shared(folder);
            assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
            assertThat(tokenizer.encodeWithSpecial(text)).hasSizeGreaterThan(10_000);
        }
    }

    @Test
    void knowsWhatStandsFirst() throws IOException {
        assertThat(shared("tokenizers/llama2").beginToken()).hasValue(1);
        assertThat(shared("tokenizers/llama3").beginToken()).hasValue(128_000);
        assertThat(shared("models/stories260K").beginToken()).hasValue(1);
        assertThat(shared("tokenizers/gpt2").beginToken()).isEmpty();
        assertThat(shared("tokenizers/smollm2").beginToken()).isEmpty();
        Tokenizer tokenizer = shared("models/stories3M");
        assertThat(tokenizer.encodeWithSpecial("a")[0])
                .isEqualTo(tokenizer.beginToken().getAsInt());
    }

    @Test
    void countsAddedTokens() throws IOException {
        assertThat(shared("tokenizers/llama3").vocabularySize()).isEqualTo(128_256);
        assertThat(shared("tokenizers/gpt2").vocabularySize()).isEqualTo(50_257);
        assertThat(shared("tokenizers/smollm2").vocabularySize()).isEqualTo(49_152);
    }

    @ParameterizedTest
    @ValueSource(strings = {"tokenizers/llama2", "tokenizers/gpt2", "tokenizers/qwen2", "models/stories260K"})
    void streamGivesTheSameTextInWholeCharacters(String folder) throws IOException {
        Tokenizer tokenizer = shared(folder);
        for (String text : TEXTS) {
            TextStream stream = tokenizer.stream();
            StringBuilder together = new StringBuilder();
            for (int id : tokenizer.encodeWithSpecial(text)) {
                String piece = stream.append(id);
                assertThat(piece).doesNotContain("\ufffd");
                together.append(piece);
            }
            assertThat(together.append(stream.finish())).hasToString(text);
        }
    }

    /** Bytes of the upper half only: an ASCII byte among them is lost to the library, which gives up whole runs. */
    @Test
    void streamSurvivesBytesThatAreNoCharacters() throws IOException {
        Tokenizer tokenizer = shared("models/stories260K");
        Random random = new Random(7);
        for (int run = 0; run < 20; run++) {
            TextStream stream = tokenizer.stream();
            int[] ids = random.ints(60, 3 + 0x80, tokenizer.vocabularySize()).toArray();
            StringBuilder together = new StringBuilder();
            Arrays.stream(ids).forEach(id -> together.append(stream.append(id)));
            together.append(stream.finish());
            String letters = tokenizer.decode(ids).replaceAll("[^a-zA-Z]", "");
            assertThat(together.toString().replaceAll("[^a-zA-Z]", "")).isEqualTo(letters);
        }
    }

    /** Both spellings of the same tokenizer: what is read from a tokenizer.json is written as an equivalent one. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "tokenizers/llama2",
                "tokenizers/gpt2",
                "tokenizers/llama3",
                "tokenizers/qwen2",
                "tokenizers/smollm2",
                "models/stories3M",
                "models/babyllama105"
            })
    void survivesItsOwnData(String folder) throws IOException {
        Tokenizer tokenizer = shared(folder);
        Tokenizer again = Tokenizer.ofJson(Path.of("again"), tokenizer.data().toJson());
        for (String text : TEXTS) {
            assertThat(again.encodeWithSpecial(text)).isEqualTo(tokenizer.encodeWithSpecial(text));
            assertThat(again.decode(again.encode(text))).isEqualTo(tokenizer.decode(tokenizer.encode(text)));
        }
        assertThat(again.data()).isEqualTo(tokenizer.data());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{}",
                "{\"model\": 3}",
                "not json",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1}}}"
            })
    void whatIsNoTokenizerIsRefused(String json) {
        assertThatThrownBy(() -> Tokenizer.ofJson(Path.of("tokenizer.json"), json))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("tokenizer.json");
    }
}
