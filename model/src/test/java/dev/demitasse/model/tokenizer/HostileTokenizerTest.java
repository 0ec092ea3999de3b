package dev.demitasse.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.DemitasseException;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.reference.MemoryFolder;
import dev.demitasse.model.reference.Mutants;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Damaged and hostile tokenizer.json files end in an error, never in the native library's panic, which ends the process.
 * Of the table's files those that end it without {@link LibraryGuard} were found by trying.
 */
class HostileTokenizerTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir(factory = MemoryFolder.class)
    private Path folder;

    private static byte[] resource(String name) throws IOException {
        return Files.readAllBytes(Path.of("src/test/resources/tokenizer").resolve(name + ".json"));
    }

    private void use(byte[] content) throws IOException {
        Path file = Files.write(folder.resolve("tokenizer.json"), content);
        Tokenizer tokenizer = Tokenizer.read(file);
        tokenizer.decode(tokenizer.encodeWithSpecial("Hello <s> wörld, the end 123 \0 \ud83d\ude00 cafe\u0301 \ud800"));
        tokenizer.decode(tokenizer.encode(""));
        describe(tokenizer);
        tokenizer.decode(new int[] {0, tokenizer.vocabularySize(), Integer.MAX_VALUE});
    }

    /** What export needs of it; for some kinds there is no such thing. */
    private static void describe(Tokenizer tokenizer) {
        try {
            assertThat(tokenizer.data().tokens()).hasSize(tokenizer.vocabularySize());
        } catch (InvalidRequestException e) {
            assertThat(e).hasMessageContaining("tokenizer");
        }
    }

    /** A protobuf field of bytes. */
    private static byte[] field(int number, byte[]... parts) {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            content.writeBytes(part);
        }
        ByteArrayOutputStream field = new ByteArrayOutputStream();
        field.write(number << 3 | 2);
        field.write(content.size());
        field.writeBytes(content.toByteArray());
        return field.toByteArray();
    }

    /** A SentencePiece model of a few pieces. */
    private static byte[] sentencePiece(int model) {
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        List<String> pieces =
                List.of("<unk>", "<s>", "</s>", "<0x0A>", "▁", "a", "b", "ab", "▁ab", "l", "ll", "e", "▁a");
        for (int i = 0; i < pieces.size(); i++) {
            byte[] score = ByteBuffer.allocate(5)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .put((byte) 0x15)
                    .putFloat(-i)
                    .array();
            byte type = (byte) (i == 0 ? 2 : i < 3 ? 3 : i == 3 ? 6 : 1);
            file.writeBytes(
                    field(1, field(1, pieces.get(i).getBytes(StandardCharsets.UTF_8)), score, new byte[] {0x18, type}));
        }
        file.writeBytes(field(2, new byte[] {0x18, (byte) model, (byte) 0xc0, 2, 0, (byte) 0xc8, 2, 1}));
        file.writeBytes(field(3, field(1, new byte[] {'x'}), new byte[] {0x18, 1, 0x20, 1, 0x28, 1}));
        return file.toByteArray();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void mutantsOfSentencePieceModelsEndInSuccessOrAnError(int model) {
        byte[] whole = sentencePiece(model);
        Mutants.Reader reader = content -> {
            Files.write(folder.resolve("tokenizer.model"), content);
            Tokenizer tokenizer = TokenizerFolder.read(folder).orElseThrow();
            tokenizer.decode(tokenizer.encodeWithSpecial("ab ball é"));
            describe(tokenizer);
        };
        int count = Mutants.COUNT / 2;
        int refused = Mutants.feed("tokenizer.model of type " + model, whole, whole.length, count, reader);
        assertThat(refused).isBetween(count / 10, count - 1);
    }

    /** A token's id says how large a vocabulary is, and is not believed. */
    @ParameterizedTest
    @ValueSource(strings = {"16777215", "2147483647", "9223372036854775807", "1e9", "-1"})
    void farTokenIdsAreRefused(String id) throws IOException {
        Files.writeString(folder.resolve("vocab.json"), "{\"a\":" + id + "}");
        Files.writeString(folder.resolve("merges.txt"), "");
        assertThatThrownBy(() -> TokenizerFolder.read(folder)).isInstanceOf(MalformedModelException.class);
        String json =
                new String(resource("byte_level_bpe"), StandardCharsets.UTF_8).replace("\"id\": 259", "\"id\": " + id);
        assertThatThrownBy(() -> use(json.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(MalformedModelException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sentencepiece_bpe", "byte_level_bpe", "unigram", "wordpiece"})
    void mutantsEndInSuccessOrAnError(String name) throws IOException {
        byte[] whole = resource(name);
        use(whole);
        int count = Mutants.COUNT / 4;
        int refused = Mutants.feed("tokenizer.json, " + name, whole, whole.length, count, this::use);
        assertThat(refused).isBetween(count / 4, count - 1);
    }

    /** A step of regular expressions. */
    private static String split(String expression) {
        return "{'type':'Split','pattern':{'Regex':'" + expression + "'},'behavior':'Isolated','invert':false}";
    }

    private static String template(String single, String tokens) {
        return "{'type':'TemplateProcessing','single':[" + single + "],'pair':[],'special_tokens':{" + tokens + "}}";
    }

    private static String map(int... units) {
        ByteBuffer bytes = ByteBuffer.allocate(4 + 4 * units.length + 2)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(4 * units.length);
        for (int unit : units) {
            bytes.putInt(unit);
        }
        String base64 = Base64.getEncoder().encodeToString(bytes.array());
        return "{'type':'Precompiled','precompiled_charsmap':'" + base64 + "'}";
    }

    static Stream<Arguments> badFiles() {
        return Stream.of(models(), steps(), expressions(), maps()).flatMap(List::stream);
    }

    private static List<Arguments> models() {
        String vocabulary = "'vocab':{'<unk>':0,'a':1,'ab':2,'b':3}";
        String unknown = "'unk_token':'<unk>'";
        return List.of(
                bad("no model", "unknown type", "model", "null"),
                bad("a model of another type", "'Markov'", "model", "{'type':'Markov'}"),
                bad(
                        "merges that make no token",
                        "ba",
                        "model",
                        "{'type':'BPE'," + vocabulary + ",'merges':[['b','a']]}"),
                bad(
                        "merges of tokens that are none",
                        "`x`",
                        "model",
                        "{'type':'BPE'," + vocabulary + ",'merges':['x a']}".replace('\'', '"')),
                bad(
                        "a prefix that merges do not have",
                        "does not begin with the prefix",
                        "model",
                        "{'type':'BPE'," + vocabulary + ",'merges':[['a','b']],'continuing_subword_prefix':'###'}"),
                bad("an id past 2^32", "4294967296", "model", "{'type':'BPE','vocab':{'a':4294967296},'merges':[]}"),
                bad("a negative id", "`-1`", "model", "{'type':'BPE','vocab':{'a':-1},'merges':[]}"),
                bad("an id that is text", "expected u32", "model", "{'type':'BPE','vocab':{'a':'1'},'merges':[]}"),
                bad(
                        "an unknown token that is none",
                        "zzz",
                        "model",
                        "{'type':'BPE'," + vocabulary + ",'merges':[],'unk_token':'zzz'}"),
                bad(
                        "words without an unknown one",
                        "cannot be used",
                        "model",
                        "{'type':'WordLevel'," + vocabulary + ",'unk_token':'zzz'}"),
                bad("no scores", "tokenizer.json", "model", "{'type':'Unigram'," + vocabulary + "}"),
                bad(
                        "an unknown id past the end",
                        "UnkId",
                        "model",
                        "{'type':'Unigram','unk_id':9,'vocab':[['a',-1.0]]}"),
                bad(
                        "merges that are numbers",
                        "tokenizer.json",
                        "model",
                        "{'type':'BPE'," + unknown + "," + vocabulary + ",'merges':[1]}"),
                bad(
                        "an added token that vanishes",
                        "may make empty",
                        "added_tokens",
                        "[{'id':1,'content':'  ','single_word':false,'lstrip':false,'rstrip':false,'normalized':true,"
                                + "'special':true}]",
                        "normalizer",
                        "{'type':'Strip','strip_left':true,'strip_right':true}"));
    }

    private static List<Arguments> steps() {
        return List.of(
                bad("a normalizer of another type", "'Nope'", "normalizer", "{'type':'Nope'}"),
                bad("a normalizer of no type", "unknown type", "normalizer", "{'precompiled_charsmap':'AAAA'}"),
                bad("a normalizer that is a number", "unknown type", "normalizer", "3"),
                bad(
                        "sequences in sequences",
                        "unknown type",
                        "normalizer",
                        "{'type':'Sequence','normalizers':[".repeat(20) + "{'type':'NFC'}" + "]}".repeat(20)),
                bad("pieces of length 0", "'FixedLength'", "pre_tokenizer", "{'type':'FixedLength','length':0}"),
                bad(
                        "a template with a second text",
                        "text B",
                        "post_processor",
                        template("{'Sequence':{'id':'B','type_id':0}}", "")),
                bad(
                        "a template with an undefined token",
                        "does not define",
                        "post_processor",
                        template("{'SpecialToken':{'id':'<s>','type_id':0}}", "")),
                bad(
                        "a decoder that strips the end",
                        "strips 1 characters",
                        "decoder",
                        "{'type':'Strip','content':' ','start':0,'stop':1}"),
                bad("a decoder of another type", "'Nope'", "decoder", "{'type':'Nope'}"));
    }

    private static List<Arguments> expressions() {
        return Stream.of(
                        "(a+)+$",
                        "(a|a)*b",
                        "(?:a|ab)+c",
                        "a*a*a*b",
                        "(a*)\\\\1",
                        "(?<n>a\\\\g<n>?)",
                        "(?~a)",
                        "(?(1)a|b)",
                        "((a{50}){50}){50}",
                        "(?:a{1,50}){1,50}b",
                        "a{100000}",
                        "(a?){40}b",
                        "(?:(?:a)*)*b",
                        "a**b",
                        "(".repeat(3000) + "a" + ")".repeat(3000),
                        "a)",
                        "(a",
                        "[a",
                        "a{5000}".repeat(900))
                .map(expression -> bad(
                        "the expression " + expression.substring(0, Math.min(20, expression.length())),
                        "for ever",
                        "pre_tokenizer",
                        split(expression)))
                .toList();
    }

    private static List<Arguments> maps() {
        int leaf = 1 << 8;
        int base = 1 << 10;
        return List.of(
                bad("no map", "character map", "normalizer", "{'type':'Precompiled'}"),
                bad("no base64", "character map", "normalizer", "{'type':'Precompiled','precompiled_charsmap':'%%'}"),
                bad("an empty map", "character map", "normalizer", "{'type':'Precompiled','precompiled_charsmap':''}"),
                bad("a map of one unit", "character map", "normalizer", map(base)),
                bad("a map past its end", "character map", "normalizer", map(1 << 30, 0, 0, 0)),
                bad(
                        "a map whose leaves are outside",
                        "character map",
                        "normalizer",
                        wholeMap('w' | leaf | 600 << 10, 0)),
                bad("a map to outside its text", "character map", "normalizer", wholeMap('w' | leaf | base, 99)),
                bad("a map that deletes letters", "character map", "normalizer", wholeMap('w' | leaf | base, 1)));
    }

    /** 256 units of which one is in use, and a leaf. */
    private static String wholeMap(int unit, int value) {
        int[] units = new int[256];
        units['w'] = unit;
        units['w' ^ 1] = 1 << 31 | value;
        return map(units);
    }

    private static Arguments bad(String what, String inMessage, String... changes) {
        return arguments(what, inMessage, changes);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badFiles")
    void isRefused(String what, String inMessage, String[] changes) throws IOException {
        ObjectNode root = (ObjectNode) JSON.readTree(resource("sentencepiece_bpe"));
        for (int i = 0; i < changes.length; i += 2) {
            JsonNode value = JSON.readTree(changes[i + 1].replace('\'', '"'));
            root.set(changes[i], value);
        }
        assertThatThrownBy(() -> use(JSON.writeValueAsBytes(root)))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("tokenizer.json")
                .hasMessageContaining(inMessage.replace('\'', '"'));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "3", "{", "{}", "{\"model\":{}}", "{\"model\":3,\"model\":3}", "\u0000"})
    void isNoTokenizer(String text) {
        assertThatThrownBy(() -> use(text.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(MalformedModelException.class)
                .hasMessageContaining("tokenizer.json");
    }

    @Test
    void deepNonUtf8AndTruncatedFilesAreRefused() throws IOException {
        String deep = "{\"a\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}";
        assertThatThrownBy(() -> use(deep.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(MalformedModelException.class);
        byte[] whole = resource("unigram");
        whole[whole.length / 2] = (byte) 0xff;
        assertThatThrownBy(() -> use(whole)).isInstanceOf(MalformedModelException.class);
        byte[] again = resource("wordpiece");
        for (int length = 0; length < again.length; length += 13) {
            byte[] cut = Arrays.copyOf(again, length);
            assertThatThrownBy(() -> use(cut)).isInstanceOf(DemitasseException.class);
        }
    }

    /** Those of models in use: GPT-2, Llama 3, Qwen2, DeepSeek, o200k, Falcon, BLOOM. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+"
                        + "|\\s+(?!\\S)|\\s+",
                "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                        + "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                        + "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "[0-9][0-9][0-9]",
                " ?[^(\\s|[.,!?…。，、।۔،])]+",
                " {2,}",
                "[一-龥぀-ゟ゠-ヿ]+"
            })
    void expressionsOfModelsInUseAreHarmless(String expression) {
        assertThat(ExpressionGuard.harmless(expression)).isTrue();
    }
}
