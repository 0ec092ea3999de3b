package dev.demitasse.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.tokenizer.TokenizerData.Kind;
import dev.demitasse.model.tokenizer.TokenizerData.Normalization;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class PreTokenizerTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A tokenizer of bytes alone: what it makes of a text shows nothing but that every piece is kept. */
    static TokenizerData bytes(PreTokenizer pre) {
        List<String> tokens = new ArrayList<>();
        for (int value = 0; value < 256; value++) {
            boolean printable = value > 32 && value < 127 || value > 160 && value != 173;
            tokens.add(Character.toString(printable ? value : 256 + hiddenBefore(value)));
        }
        return bytes(pre, tokens);
    }

    private static TokenizerData bytes(PreTokenizer pre, List<String> tokens) {
        return new TokenizerData(
                Kind.BYTE_LEVEL,
                tokens,
                Collections.nCopies(tokens.size(), TokenType.NORMAL),
                List.of(),
                List.of(),
                Optional.of(pre),
                Normalization.NONE,
                OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                List.of());
    }

    /** GPT-2's alphabet numbers the bytes that have no printable character of their own. */
    private static int hiddenBefore(int value) {
        if (value <= 32) {
            return value;
        }
        return value == 173 ? 67 : 33 + value - 127;
    }

    /** The library takes the expressions, loses nothing, and the same rules are found in what was written. */
    @ParameterizedTest
    @EnumSource(PreTokenizer.class)
    void survivesTokenizerJson(PreTokenizer pre) {
        TokenizerData data = bytes(pre);
        Tokenizer tokenizer = Tokenizer.ofJson(Path.of("tokenizer.json"), data.toJson());
        assertThat(tokenizer.data()).isEqualTo(data);
        RandomText texts = new RandomText(2);
        for (int i = 0; i < 500; i++) {
            String text = texts.next();
            String expected = pre.composes() ? Normalizer.normalize(text, Normalizer.Form.NFC) : text;
            assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(expected);
        }
    }

    @Test
    void everyNameIsOnesOwn() {
        Set<String> names = new HashSet<>();
        for (PreTokenizer pre : PreTokenizer.values()) {
            assertThat(names.add(pre.ggufName())).isTrue();
            assertThat(PreTokenizer.ofGguf(pre.ggufName())).contains(pre);
        }
        assertThat(PreTokenizer.ofGguf("nonesuch")).isEmpty();
    }

    /**
     * Where these expressions cut, as tiktoken's and the families' own documentation of their patterns has it: a word
     * with its space, contractions apart, numbers in ones, threes or whole.
     */
    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "GPT2; it's 1234 XmlFile!?; it|'s| 1234| XmlFile|!?",
                "LLAMA3; it's 1234 XmlFile!?; it|'s| |123|4| XmlFile|!?",
                "QWEN2; it's 1234 XmlFile!?; it|'s| |1|2|3|4| XmlFile|!?",
                "SMOLLM; it's 1234 XmlFile!?; it|'s| |1|2|3|4| XmlFile|!?",
                "FALCON; it's 1234 XmlFile!?; it|'|s| |123|4| XmlFile|!?",
                "BLOOM; it's 1234 XmlFile!?; it's| 1234| XmlFile|!?",
                "TEKKEN; it's 1234 XmlFile!?; it|'s| |1|2|3|4| Xml|File|!?",
                "GPT4O; it's 1234 XmlFile!?; it's| |123|4| Xml|File|!?",
                "DEEPSEEK3; it's 1234 XmlFile!?; it|'s| |123|4| XmlFile|!?",
                "DEEPSEEK_CODER; it's 1234 XmlFile!?; it|'|s| |1|2|3|4| XmlFile|!?"
            })
    void cutsWhereItsFamilyCuts(PreTokenizer pre, String text, String expected) {
        List<String> tokens = new ArrayList<>(bytes(pre).tokens());
        // Every stretch of the text is a token, to be taken whole wherever it is a piece.
        List<String> characters = List.of(text.replace(' ', 'Ġ').split(""));
        for (int length = 2; length <= text.length(); length++) {
            for (int from = 0; from + length <= text.length(); from++) {
                String stretch = String.join("", characters.subList(from, from + length));
                if (!tokens.contains(stretch)) {
                    tokens.add(stretch);
                }
            }
        }
        String json = bytes(pre, tokens).toJson().replace("\"ignore_merges\":false", "\"ignore_merges\":true");
        Tokenizer tokenizer = Tokenizer.ofJson(Path.of("tokenizer.json"), json);
        List<String> cut = new ArrayList<>();
        for (int id : tokenizer.encode(text)) {
            cut.add(tokenizer.decode(new int[] {id}));
        }
        assertThat(String.join("|", cut)).isEqualTo(expected);
    }

    /** The same rules in other words, as some publishers spell them. */
    @Test
    void recognizesOtherSpellings() throws Exception {
        String gpt4o = """
                {"type": "Sequence", "pretokenizers": [
                  {"type": "Split", "pattern": {"Regex": %s}, "behavior": "Removed", "invert": true},
                  {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}""".formatted(JSON.writeValueAsString(Expressions.GPT4O));
        assertThat(PreTokenizer.ofJson(JSON.readTree(gpt4o), false, false)).contains(PreTokenizer.GPT4O);
        String plain = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false}";
        assertThat(PreTokenizer.ofJson(JSON.readTree(plain), false, false)).contains(PreTokenizer.GPT2);
        assertThat(PreTokenizer.ofJson(JSON.readTree(plain), true, false)).contains(PreTokenizer.OLMO);
        assertThat(PreTokenizer.ofJson(JSON.readTree("{\"type\": \"ByteLevel\"}"), false, false))
                .isEmpty();
        assertThat(PreTokenizer.ofJson(JSON.readTree("{\"type\": \"Whitespace\"}"), false, false))
                .isEmpty();
    }
}
