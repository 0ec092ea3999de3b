package dev.demitasse.model.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.chat.ChatTemplate;
import dev.demitasse.model.files.JsonFile;
import dev.demitasse.model.files.JsonFile.Duplicates;
import dev.demitasse.model.tokenizer.TokenizerJson.Silent;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;

/**
 * Text to token ids and back, by Hugging Face's own tokenizers library. A tokenizer is its tokenizer.json: one read from
 * a GGUF file is written as such a JSON first. Safe for use by several threads.
 */
public final class Tokenizer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String ADVICE = "take the file that came with the model";

    private final Path path;
    private final String json;
    private final HuggingFaceTokenizer library;
    private final int vocabularySize;
    private final OptionalInt beginToken;
    private final Silent silent;
    private final Optional<ChatTemplate> chatTemplate;

    private Tokenizer(Path path, String json, HuggingFaceTokenizer library, TokenizerJson layout) {
        this.path = path;
        this.json = json;
        this.library = library;
        this.vocabularySize = layout.vocabularySize();
        this.beginToken = layout.begin();
        this.silent = layout.silent();
        this.chatTemplate = Optional.empty();
    }

    private Tokenizer(Tokenizer other, Optional<ChatTemplate> chatTemplate) {
        this.path = other.path;
        this.json = other.json;
        this.library = other.library;
        this.vocabularySize = other.vocabularySize;
        this.beginToken = other.beginToken;
        this.silent = other.silent;
        this.chatTemplate = chatTemplate;
    }

    /** Reads a tokenizer.json. */
    public static Tokenizer read(Path file) throws IOException {
        return ofJson(file, new String(Files.readAllBytes(file), StandardCharsets.UTF_8));
    }

    /**
     * @param path where {@code json} came from, for errors
     * @param json the text of a tokenizer.json
     */
    public static Tokenizer ofJson(Path path, String json) {
        try {
            JsonNode root = JsonFile.parse(path, json, "tokenizer.json", Duplicates.REFUSED);
            LibraryGuard.check(path, root);
            TokenizerJson layout = new TokenizerJson(path, root);
            // Left to itself the library cuts texts at 512 tokens.
            Map<String, String> options = Map.of("truncation", "false", "addSpecialTokens", "false");
            HuggingFaceTokenizer library = HuggingFaceTokenizer.newInstance(
                    new ByteArrayInputStream(layout.forLibrary(json).getBytes(StandardCharsets.UTF_8)), options);
            return new Tokenizer(path, json, library, layout);
        } catch (MalformedModelException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw new MalformedModelException(path, "not a tokenizer.json: " + e.getMessage(), ADVICE, e);
        }
    }

    /** The same tokenizer with the template that came with it. */
    public Tokenizer withChatTemplate(Optional<ChatTemplate> template) {
        return new Tokenizer(this, template);
    }

    /** How the model it came with writes conversations, if that is known. */
    public Optional<ChatTemplate> chatTemplate() {
        return chatTemplate;
    }

    /** The tokenizer.json. */
    public String json() {
        return json;
    }

    /** Token ids of {@code text}, without the tokens a model wants at the start. */
    public int[] encode(String text) {
        return toInts(ask(() -> library.encode(text, false, false).getIds()));
    }

    /** Token ids of {@code text} with the special tokens (usually bos) that the tokenizer adds around it. */
    public int[] encodeWithSpecial(String text) {
        return toInts(ask(() -> library.encode(text, true, false).getIds()));
    }

    /** The text of {@code ids}, special tokens left out. */
    public String decode(int[] ids) {
        return ask(() -> library.decode(Arrays.stream(ids).asLongStream().toArray(), true));
    }

    /** Some of a file's contradictions come to light only with the text that meets them. */
    private <T> T ask(Supplier<T> question) {
        try {
            return question.get();
        } catch (RuntimeException e) {
            throw new MalformedModelException(path, "cannot be used: " + e.getMessage(), ADVICE, e);
        }
    }

    /** A decoder of tokens that come one by one; to continue a prompt, let it take the prompt's tokens first. */
    public TextStream stream() {
        return new TextStream(this, silent);
    }

    /** The token that {@link #encodeWithSpecial} puts first, if it does. */
    public OptionalInt beginToken() {
        return beginToken;
    }

    /** One more than the largest id. */
    public int vocabularySize() {
        return vocabularySize;
    }

    /**
     * Its tokens, merges and rules; parsed anew each time.
     *
     * @throws dev.demitasse.model.InvalidRequestException if it is of a kind that is none of {@link
     *     TokenizerData.Kind}
     */
    public TokenizerData data() {
        try {
            return TokenizerData.ofJson(path, JSON.readTree(json));
        } catch (JsonProcessingException e) {
            throw new MalformedModelException(path, "not JSON: " + e.getOriginalMessage(), ADVICE, e);
        }
    }

    private static int[] toInts(long[] ids) {
        return Arrays.stream(ids).mapToInt(Math::toIntExact).toArray();
    }
}
