package dev.demitasse.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What went in comes out: from the tokenizer at once, and token by token. */
class RandomTextTest {
    private static final int TEXTS = 10_000;
    private static final int STREAMED = 1_000;

    private static Tokenizer shared(String folder) throws IOException {
        return Tokenizer.read(SharedData.require("data/" + folder).resolve("tokenizer.json"));
    }

    /** Every byte is a token, and nothing is done to the text before. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "tokenizers/gpt2",
                "tokenizers/llama3",
                "tokenizers/llama2",
                "models/stories260K",
                "models/stories3M"
            })
    void decodesToTheText(String folder) throws IOException {
        roundTrip(shared(folder), UnaryOperator.identity());
    }

    /** SmolLM2's vocabulary lacks the 21 bytes that never occur in what it was made from; a text with one loses it. */
    @Test
    void decodesToTheTextWhereItsBytesAreTokens() throws IOException {
        Tokenizer tokenizer = shared("tokenizers/smollm2");
        Set<Integer> known = new HashSet<>();
        TokenizerData bytes = PreTokenizerTest.bytes(PreTokenizer.GPT2);
        List<String> tokens = tokenizer.data().tokens();
        for (int value = 0; value < 256; value++) {
            if (tokens.contains(bytes.tokens().get(value))) {
                known.add(value);
            }
        }
        assertThat(known).hasSize(235);
        RandomText texts = new RandomText(1);
        int compared = 0;
        for (int i = 0; i < TEXTS; i++) {
            String text = texts.next();
            boolean spelled = true;
            for (byte value : text.getBytes(StandardCharsets.UTF_8)) {
                spelled &= known.contains(value & 0xff);
            }
            if (spelled) {
                compared++;
                assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
            }
        }
        assertThat(compared).isGreaterThan(TEXTS / 3);
    }

    /** Qwen's brings text into normal form C first. */
    @Test
    void decodesToTheNormalForm() throws IOException {
        roundTrip(shared("tokenizers/qwen2"), text -> Normalizer.normalize(text, Normalizer.Form.NFC));
    }

    @Test
    void decodesToTheTextFromTokenizerModel(@TempDir Path folder) throws IOException {
        Files.copy(SharedData.require("data/tokenizers/llama2/tokenizer.model"), folder.resolve("tokenizer.model"));
        Tokenizer tokenizer = TokenizerFolder.read(folder).orElseThrow();
        roundTrip(tokenizer, UnaryOperator.identity());
        Tokenizer json = shared("tokenizers/llama2");
        RandomText texts = new RandomText(3);
        for (int i = 0; i < TEXTS; i++) {
            String text = texts.next();
            // Where the vocabulary has no-break spaces, this copy of tokenizer.json has common ones.
            if (text.indexOf('\u00a0') < 0) {
                assertThat(tokenizer.encodeWithSpecial(text)).isEqualTo(json.encodeWithSpecial(text));
            }
        }
    }

    private static void roundTrip(Tokenizer tokenizer, UnaryOperator<String> normalize) {
        RandomText texts = new RandomText(1);
        for (int i = 0; i < TEXTS; i++) {
            String text = texts.next();
            int[] ids = tokenizer.encode(text);
            assertThat(tokenizer.decode(ids)).isEqualTo(normalize.apply(text));
            if (i < STREAMED) {
                assertThat(streamed(tokenizer, ids)).isEqualTo(normalize.apply(text));
            }
        }
    }

    private static String streamed(Tokenizer tokenizer, int[] ids) {
        TextStream stream = tokenizer.stream();
        StringBuilder together = new StringBuilder();
        for (int id : ids) {
            String piece = stream.append(id);
            if (!piece.isEmpty()) {
                assertThat(Character.isLowSurrogate(piece.charAt(0))).isFalse();
                assertThat(Character.isHighSurrogate(piece.charAt(piece.length() - 1)))
                        .isFalse();
            }
            together.append(piece);
        }
        return together.append(stream.finish()).toString();
    }

    /** Tokens in any order: most are no text at all, special ones among them. A byte-level stream is exact even then. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "smollm2", "qwen2"})
    void anyTokensStreamAsTheyDecode(String name) throws IOException {
        Tokenizer tokenizer = shared("tokenizers/" + name);
        Random random = new Random(5);
        for (int run = 0; run < 200; run++) {
            // Low ids are single bytes.
            int bound = run % 2 == 0 ? 256 : tokenizer.vocabularySize();
            int[] ids = random.ints(150, 0, bound).toArray();
            assertThat(streamed(tokenizer, ids)).isEqualTo(tokenizer.decode(ids));
        }
    }

    /** A space before a word stays, also behind a special token; replacement characters that are meant come out. */
    @Test
    void streamKeepsSpacesAndReplacements() throws IOException {
        Tokenizer tokenizer = shared("tokenizers/llama2");
        for (String text :
                new String[] {"a</s> b<s> <s>  c", "\ufffd", "a\ufffd\ufffd\ufffd\ufffd\ufffd b", " \ufffd你\ufffd "}) {
            int[] ids = tokenizer.encode(text);
            assertThat(streamed(tokenizer, ids)).isEqualTo(tokenizer.decode(ids));
        }
    }
}
