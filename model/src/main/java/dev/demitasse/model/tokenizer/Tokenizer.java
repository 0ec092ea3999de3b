package dev.demitasse.model.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.MalformedModelException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/**
 * Text to token ids and back, by Hugging Face's own tokenizers library. A tokenizer is its tokenizer.json: one read from
 * a GGUF file is written as such a JSON first. Safe for use by several threads.
 */
public final class Tokenizer {
    private final String json;
    private final HuggingFaceTokenizer library;

    private Tokenizer(String json, HuggingFaceTokenizer library) {
        this.json = json;
        this.library = library;
    }

    /**
     * @param path where {@code json} came from, for errors
     * @param json the text of a tokenizer.json
     */
    public static Tokenizer ofJson(Path path, String json) {
        try {
            // Left to itself the library cuts texts at 512 tokens.
            Map<String, String> options = Map.of("truncation", "false", "addSpecialTokens", "false");
            return new Tokenizer(
                    json,
                    HuggingFaceTokenizer.newInstance(
                            new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)), options));
        } catch (IOException | RuntimeException e) {
            throw new MalformedModelException(
                    path, "not a tokenizer.json: " + e.getMessage(), "take the file that came with the model", e);
        }
    }

    /** The tokenizer.json. */
    public String json() {
        return json;
    }

    /** Token ids of {@code text}, without the tokens a model wants at the start. */
    public int[] encode(String text) {
        return toInts(library.encode(text, false, false).getIds());
    }

    /** Token ids of {@code text} with the special tokens (usually bos) that the tokenizer adds around it. */
    public int[] encodeWithSpecial(String text) {
        return toInts(library.encode(text, true, false).getIds());
    }

    /** The text of {@code ids}, special tokens left out. */
    public String decode(int[] ids) {
        return library.decode(Arrays.stream(ids).asLongStream().toArray(), true);
    }

    /** One more than the largest id. */
    public int vocabularySize() {
        try {
            int largest = -1;
            JsonNode root = new ObjectMapper().readTree(json);
            for (JsonNode id : root.path("model").path("vocab")) {
                largest = Math.max(largest, id.asInt(-1));
            }
            for (JsonNode token : root.path("added_tokens")) {
                largest = Math.max(largest, token.path("id").asInt(-1));
            }
            return largest + 1;
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static int[] toInts(long[] ids) {
        return Arrays.stream(ids).mapToInt(Math::toIntExact).toArray();
    }
}
