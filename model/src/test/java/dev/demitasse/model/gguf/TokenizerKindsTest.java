package dev.demitasse.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.chat.Message;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.tokenizer.PreTokenizer;
import dev.demitasse.model.tokenizer.RandomText;
import dev.demitasse.model.tokenizer.Tokenizer;
import dev.demitasse.model.tokenizer.TokenizerData;
import dev.demitasse.model.tokenizer.TokenizerData.Kind;
import dev.demitasse.model.tokenizer.TokenizerData.Merge;
import dev.demitasse.model.tokenizer.TokenizerData.Normalization;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import dev.demitasse.model.tokenizer.TokenizerFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Kinds that no file at hand is of: small ones made here, against their definition, and through GGUF's keys. */
class TokenizerKindsTest {
    private static final String SPACE = "▁";

    private final Random random = new Random(17);

    private static Tokenizer tokenizer(TokenizerData data) {
        return Tokenizer.ofJson(Path.of("tokenizer.json"), data.toJson());
    }

    private static GgufTokenizer.Keys keys(Tokenizer tokenizer, int more) throws IOException {
        ModelConfig config = Families.read(ConfigJson.read(SharedData.require("data/models/stories260K/config.json")));
        return GgufTokenizer.write(tokenizer, config.withVocabularySize(tokenizer.vocabularySize() + more));
    }

    private static Tokenizer throughKeys(Tokenizer tokenizer, int more) throws IOException {
        GgufTokenizer.Keys keys = keys(tokenizer, more);
        assertThat(keys.cautions()).isEmpty();
        Map<String, Object> read = GgufTokenizerTest.asRead(keys.values());
        return GgufTokenizer.read(new GgufMetadata(Path.of("written.gguf"), read))
                .orElseThrow();
    }

    private String text(String alphabet, int most) {
        StringBuilder text = new StringBuilder();
        int length = random.nextInt(most + 1);
        for (int i = 0; i < length; i++) {
            text.append(alphabet.charAt(random.nextInt(alphabet.length())));
        }
        return text.toString();
    }

    /** Pieces of a few letters with random scores that fit in 32 bits, as files store them. */
    private TokenizerData unigram(boolean mergeSpaces) {
        TreeMap<String, Double> pieces = new TreeMap<>();
        for (String letter : List.of("a", "b", "c", "é", SPACE)) {
            pieces.put(letter, (double) (float) (-8 - 4 * random.nextDouble()));
        }
        while (pieces.size() < 60) {
            String piece = (random.nextInt(3) == 0 ? SPACE : "") + text("abcé", 4);
            pieces.putIfAbsent(piece.isEmpty() ? "ab" : piece, (double) (float) (-3 - 9 * random.nextDouble()));
        }
        List<String> tokens = new ArrayList<>(List.of("<pad>", "</s>", "<unk>"));
        List<Double> scores = new ArrayList<>(List.of(0.0, 0.0, 0.0));
        List<TokenType> types = new ArrayList<>(List.of(TokenType.CONTROL, TokenType.CONTROL, TokenType.UNKNOWN));
        pieces.forEach((piece, score) -> {
            tokens.add(piece);
            scores.add(score);
            types.add(TokenType.NORMAL);
        });
        return new TokenizerData(
                Kind.UNIGRAM,
                tokens,
                types,
                scores,
                List.of(),
                Optional.empty(),
                new Normalization(true, mergeSpaces, "", false, false),
                OptionalInt.of(2),
                OptionalInt.empty(),
                OptionalInt.of(1),
                List.of());
    }

    /**
     * The cut with the highest sum of scores (Kudo, arXiv:1804.10959, §3.2), by trying all of them; what has no piece is
     * unknown at 10 less than the lowest score, and unknown neighbours are one.
     */
    private static List<Integer> bestCut(TokenizerData data, String text) {
        double unknown = Collections.min(data.scores()) - 10;
        double[] best = new double[text.length() + 1];
        Arrays.fill(best, 1, best.length, Double.NEGATIVE_INFINITY);
        List<List<Integer>> cuts = new ArrayList<>(Collections.nCopies(text.length() + 1, List.of()));
        for (int end = 1; end <= text.length(); end++) {
            for (int start = 0; start < end; start++) {
                int id = data.tokens().indexOf(text.substring(start, end));
                if (id < 0 && end - start > 1) {
                    continue;
                }
                double score = best[start] + (id < 0 ? unknown : data.scores().get(id));
                if (score > best[end]) {
                    best[end] = score;
                    List<Integer> cut = new ArrayList<>(cuts.get(start));
                    if (id >= 0 || cut.isEmpty() || cut.getLast() != 2) {
                        cut.add(id < 0 ? 2 : id);
                    }
                    cuts.set(end, cut);
                }
            }
        }
        return cuts.getLast();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void unigramTakesTheLikeliestCut(boolean mergeSpaces) throws IOException {
        TokenizerData data = unigram(mergeSpaces);
        Tokenizer tokenizer = tokenizer(data);
        Tokenizer written = throughKeys(tokenizer, 4);
        assertThat(tokenizer.data()).isEqualTo(data);
        for (int i = 0; i < 2_000; i++) {
            String text = text("abcéxy  ", 14);
            String spaced = mergeSpaces ? text.strip().replaceAll(" +", " ") : text;
            String escaped = spaced.isEmpty() ? "" : SPACE + spaced.replace(" ", SPACE);
            int[] expected = bestCut(data, escaped).stream().mapToInt(id -> id).toArray();
            assertThat(tokenizer.encode(text)).as(text).isEqualTo(expected);
            assertThat(written.encodeWithSpecial(text)).isEqualTo(tokenizer.encodeWithSpecial(text));
            if (!text.matches(".*[xy].*")) {
                assertThat(tokenizer.decode(expected)).isEqualTo(spaced);
                assertThat(written.decode(expected)).isEqualTo(spaced);
            }
        }
        assertThat(written.vocabularySize()).isEqualTo(data.tokens().size() + 4);
        assertThat(written.encodeWithSpecial("a")).endsWith(1);
    }

    /** T5's own tokenizer.json, spelled as transformers spells it, says what a tokenizer.model's data says. */
    @Test
    void readsT5sSpelling() throws IOException {
        TokenizerData data = unigram(true);
        String ours = data.toJson();
        String normalizer = ours.substring(ours.indexOf("\"normalizer\""), ours.indexOf("\"decoder\""));
        String theirs = ours.replace(normalizer, """
                "normalizer": {"type": "Sequence", "normalizers": [
                  {"type": "Strip", "strip_left": false, "strip_right": true},
                  {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]},
                "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},""");
        Tokenizer tokenizer = Tokenizer.ofJson(Path.of("tokenizer.json"), theirs);
        assertThat(tokenizer.data()).isEqualTo(data);
        Tokenizer written = throughKeys(tokenizer, 0);
        for (int i = 0; i < 500; i++) {
            String text = text("abc  é", 14);
            assertThat(written.encodeWithSpecial(text)).as(text).isEqualTo(tokenizer.encodeWithSpecial(text));
        }
    }

    private static TokenizerData wordPiece(boolean lowercase) {
        List<String> tokens = new ArrayList<>(List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]"));
        List<TokenType> types = new ArrayList<>(List.of(
                TokenType.CONTROL,
                TokenType.UNKNOWN,
                TokenType.CONTROL,
                TokenType.CONTROL,
                TokenType.CONTROL,
                TokenType.NORMAL));
        for (String piece : List.of(
                "a", "b", "ab", "abc", "cab", "c", "A", "##a", "##b", "##ba", "##bc", "##c", "##cc", "e", "##e", ",",
                "[", "]", "##]", "你")) {
            tokens.add(piece);
            types.add(TokenType.NORMAL);
        }
        return new TokenizerData(
                Kind.WORD_PIECE,
                tokens,
                types,
                List.of(),
                List.of(),
                Optional.empty(),
                new Normalization(false, false, "", lowercase, lowercase),
                OptionalInt.of(1),
                OptionalInt.of(2),
                OptionalInt.of(3),
                List.of());
    }

    /** The longest piece first (Wu et al., arXiv:1609.08144, §4.1, as BERT's tokenization.py does it). */
    private static List<Integer> longestPieces(TokenizerData data, String word) {
        List<Integer> ids = new ArrayList<>();
        for (int at = 0; at < word.length(); ) {
            int end = word.length();
            while (end > at && !data.tokens().contains((at > 0 ? "##" : "") + word.substring(at, end))) {
                end--;
            }
            if (end == at) {
                return List.of(1);
            }
            ids.add(data.tokens().indexOf((at > 0 ? "##" : "") + word.substring(at, end)));
            at = end;
        }
        return ids;
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void wordPieceTakesTheLongestPiece(boolean lowercase) throws IOException {
        TokenizerData data = wordPiece(lowercase);
        Tokenizer tokenizer = tokenizer(data);
        Tokenizer written = throughKeys(tokenizer, 3);
        assertThat(tokenizer.data()).isEqualTo(data);
        for (int i = 0; i < 2_000; i++) {
            String text = text("abcABxeé ,[]你", 12);
            String plain = lowercase ? text.toLowerCase(Locale.ROOT).replace('é', 'e') : text;
            List<Integer> expected = new ArrayList<>();
            for (String word : plain.replaceAll("([,\\[\\]你])", " $1 ").trim().split(" +")) {
                expected.addAll(word.isEmpty() ? List.of() : longestPieces(data, word));
            }
            int[] ids = expected.stream().mapToInt(id -> id).toArray();
            assertThat(tokenizer.encode(text)).as(text).isEqualTo(ids);
            assertThat(written.encodeWithSpecial(text)).as(text).isEqualTo(tokenizer.encodeWithSpecial(text));
        }
        assertThat(written.encodeWithSpecial("ab")).containsExactly(2, 8, 3);
        assertThat(written.data().tokens().subList(0, data.tokens().size())).isEqualTo(data.tokens());
    }

    /** Gemma's tokenizer.json: spaces become ▁, none is thought before the text, bytes stand in for the rest. */
    @Test
    void gemmasSpelling() throws IOException {
        String json = """
                {"added_tokens": [
                   {"id": 0, "content": "<pad>", "special": true, "normalized": false, %1$s},
                   {"id": 1, "content": "<bos>", "special": true, "normalized": false, %1$s},
                   {"id": 2, "content": "▁▁", "special": false, "normalized": true, %1$s}],
                 "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                 "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
                   "invert": false},
                 "post_processor": {"type": "TemplateProcessing", "single": [
                   {"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                   "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                   "special_tokens": {"<bos>": {"id": "<bos>", "ids": [1], "tokens": ["<bos>"]}}},
                 "decoder": {"type": "Sequence", "decoders": [
                   {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                   {"type": "Fuse"}]},
                 "model": {"type": "BPE", "unk_token": null, "byte_fallback": true, "fuse_unk": true,
                   "vocab": {"<pad>": 0, "<bos>": 1, "▁▁": 2, "▁": 3, "a": 4, "b": 5, "ab": 6, "▁ab": 7, %2$s},
                   "merges": [["a", "b"], ["▁", "ab"]]}}""";
        StringBuilder bytes = new StringBuilder();
        for (int value = 0; value < 256; value++) {
            bytes.append(value == 0 ? "" : ", ").append("\"<0x%02X>\": %d".formatted(value, 8 + value));
        }
        Tokenizer tokenizer = Tokenizer.ofJson(
                Path.of("tokenizer.json"),
                json.formatted("\"single_word\": false, \"lstrip\": false, \"rstrip\": false", bytes));
        Tokenizer written = throughKeys(tokenizer, 0);
        assertThat(tokenizer.encodeWithSpecial("ab ab")).containsExactly(1, 6, 7);
        assertThat(tokenizer.encode("a  b")).containsExactly(4, 2, 5);
        RandomText texts = new RandomText(9);
        for (int i = 0; i < 2_000; i++) {
            String text = texts.next();
            int[] ids = tokenizer.encodeWithSpecial(text);
            assertThat(written.encodeWithSpecial(text)).as(text).isEqualTo(ids);
            assertThat(tokenizer.decode(ids)).isEqualTo(text);
            assertThat(written.decode(ids)).isEqualTo(text);
        }
    }

    /** What GGUF cannot say is told, and the tokenizer.json goes along so that our own reading stays right. */
    @Test
    void whatGgufCannotSayGoesAlong() throws IOException {
        Tokenizer known = tokenizer(new TokenizerData(
                Kind.BYTE_LEVEL,
                List.of("a", "b", "ab"),
                Collections.nCopies(3, TokenType.NORMAL),
                List.of(),
                List.of(new Merge("a", "b")),
                Optional.of(PreTokenizer.GPT2),
                Normalization.NONE,
                OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                List.of()));
        assertThat(keys(known, 0).values()).containsEntry("tokenizer.ggml.pre", "gpt-2");
        String odd = known.json().replace("\"use_regex\":true", "\"use_regex\":false");
        Tokenizer unknown = Tokenizer.ofJson(Path.of("tokenizer.json"), odd);
        GgufTokenizer.Keys keys = keys(unknown, 0);
        assertThat(keys.cautions()).singleElement().asString().contains("no name");
        assertThat(keys.values()).doesNotContainKey("tokenizer.ggml.pre").containsEntry(GgufTokenizer.JSON, odd);
        Map<String, Object> read = GgufTokenizerTest.asRead(keys.values());
        assertThat(GgufTokenizer.read(new GgufMetadata(Path.of("a.gguf"), read))
                        .orElseThrow()
                        .json())
                .isEqualTo(odd);
    }

    /** A chat template and its special tokens go from a Hugging Face folder to GGUF's keys and back. */
    @Test
    void chatTemplateGoesAlong(@TempDir Path folder) throws IOException {
        Files.copy(SharedData.require("data/models/stories260K/tokenizer.json"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [
                  {"name": "tool_use", "template": "no"},
                  {"name": "default", "template": "{{ bos_token }}{% for m in messages %}[{{ m.content }}]{% endfor %}"}]}""");
        List<Message> messages = List.of(new Message("user", "Hi"));
        Tokenizer read = TokenizerFolder.read(folder).orElseThrow();
        assertThat(read.chatTemplate().orElseThrow().render(messages, true)).isEqualTo("<s>[Hi]");
        Tokenizer written = throughKeys(read, 0);
        assertThat(written.chatTemplate().orElseThrow().render(messages, true)).isEqualTo("<s>[Hi]");
        assertThat(written.encode("<s>[Hi]")).startsWith(1);
        Files.writeString(folder.resolve("chat_template.jinja"), "{{ messages[0].content }}{{ eos_token }}\n");
        assertThat(TokenizerFolder.read(folder)
                        .flatMap(Tokenizer::chatTemplate)
                        .orElseThrow()
                        .render(messages, true))
                .isEqualTo("Hi</s>");
    }
}
