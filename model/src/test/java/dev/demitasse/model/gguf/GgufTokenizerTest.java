package dev.demitasse.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.reference.SharedData;
import dev.demitasse.model.tokenizer.RandomText;
import dev.demitasse.model.tokenizer.Tokenizer;
import dev.demitasse.model.tokenizer.TokenizerCases;
import dev.demitasse.model.tokenizer.TokenizerCases.Case;
import dev.demitasse.model.tokenizer.TokenizerFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufTokenizerTest {
    private static Tokenizer tokenizer(Path gguf) throws IOException {
        try (GgufFile file = GgufFile.open(gguf)) {
            return GgufTokenizer.read(file.metadata()).orElseThrow();
        }
    }

    /** llama.cpp's own vocabulary files and the ids its tests expect. */
    @ParameterizedTest
    @ValueSource(strings = {"llama2", "gpt2"})
    void encodesAsTheModelsAuthorsDo(String name) throws IOException {
        Tokenizer tokenizer = tokenizer(SharedData.require("data/tokenizers/" + name + "/vocab.gguf"));
        SoftAssertions all = new SoftAssertions();
        for (Case each : TokenizerCases.of(name)) {
            all.assertThat(tokenizer.encode(each.text())).as(each.text()).isEqualTo(each.ids());
        }
        all.assertAll();
    }

    /** SentencePiece's own file and what llama.cpp made of it cut any text alike. */
    @Test
    void equalsTheTokenizerModelItWasMadeFrom(@TempDir Path folder) throws IOException {
        Path source = SharedData.require("data/tokenizers/llama2");
        Files.copy(source.resolve("tokenizer.model"), folder.resolve("tokenizer.model"));
        Tokenizer model = TokenizerFolder.read(folder).orElseThrow();
        Tokenizer gguf = tokenizer(source.resolve("vocab.gguf"));
        RandomText texts = new RandomText(4);
        for (int i = 0; i < 10_000; i++) {
            String text = texts.next();
            int[] ids = gguf.encodeWithSpecial(text);
            assertThat(ids).isEqualTo(model.encodeWithSpecial(text));
            assertThat(gguf.decode(ids)).isEqualTo(text);
        }
    }

    /** The same tokenizer from both files. */
    @Test
    void equalsTheTokenizerJsonItWasMadeFrom() throws IOException {
        Tokenizer gguf = tokenizer(SharedData.require("golden/gguf/stories260K-f32.gguf"));
        Tokenizer json = Tokenizer.read(SharedData.require("data/models/stories260K/tokenizer.json"));
        String text = Files.readString(SharedData.require("data/text/tinystories_10k.txt"))
                .substring(0, 200_000);
        assertThat(gguf.encodeWithSpecial(text)).isEqualTo(json.encodeWithSpecial(text));
        assertThat(gguf.decode(gguf.encode(text))).isEqualTo(text);
        assertThat(gguf.vocabularySize()).isEqualTo(512);
    }

    /** What we write as GGUF keys encodes real text as the tokenizer.json does. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "tokenizers/llama2",
                "tokenizers/gpt2",
                "tokenizers/smollm2",
                "tokenizers/llama3",
                "models/stories260K",
                "models/stories3M",
                "models/babyllama105"
            })
    void writtenKeysEncodeTheSame(String folder) throws IOException {
        Tokenizer source = Tokenizer.read(SharedData.require("data/" + folder).resolve("tokenizer.json"));
        ModelConfig config = Families.read(ConfigJson.read(SharedData.require("data/models/stories260K/config.json")))
                .withVocabularySize(source.vocabularySize() + 3);
        Map<String, Object> keys = GgufTokenizer.write(source, config).values();
        GgufMetadata metadata = new GgufMetadata(Path.of("written.gguf"), asRead(keys));
        Tokenizer written = Tokenizer.ofJson(
                metadata.path(), GgufTokenizerReader.read(metadata).toJson());
        List<String> texts = new ArrayList<>(List.of("", " a  b\n\n c", "12345 don't 你好 🦙"));
        texts.add(Files.readString(SharedData.require("data/text/tinystories_10k.txt"))
                .substring(0, 100_000));
        for (String text : texts) {
            assertThat(written.encodeWithSpecial(text)).isEqualTo(source.encodeWithSpecial(text));
        }
        assertThat(written.vocabularySize()).isEqualTo(config.vocabularySize());
    }

    /** Values as the reader gives them: Long for Integer, Double for Float. */
    static Map<String, Object> asRead(Map<String, Object> written) {
        Map<String, Object> read = new LinkedHashMap<>();
        written.forEach((key, value) -> read.put(key, asRead(value)));
        return read;
    }

    private static Object asRead(Object value) {
        return switch (value) {
            case Integer whole -> whole.longValue();
            case Byte whole -> (long) (whole & 0xff);
            case Float floating -> (double) floating;
            case List<?> list ->
                list.stream().map(element -> asRead((Object) element)).toList();
            default -> value;
        };
    }
}
