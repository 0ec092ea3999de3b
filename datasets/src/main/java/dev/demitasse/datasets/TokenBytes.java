package dev.demitasse.datasets;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Pattern;

/**
 * How many UTF-8 bytes of text each token of a vocabulary stands for, read off the tokenizer.json: in a byte-level
 * vocabulary each character of a token is a byte; elsewhere {@code <0x0A>} is one byte and {@code ▁} is a space. Special
 * tokens stand for none.
 *
 * <p>Summed over the tokens of a text this is the length of the text, but for what a tokenizer changes: the space that
 * SentencePiece puts before a text counts, and a normalizer (NFC) may make the text shorter or longer.
 */
final class TokenBytes {
    private static final Pattern BYTE_TOKEN = Pattern.compile("<0x[0-9A-Fa-f]{2}>");

    private final int[] lengths;

    private TokenBytes(int[] lengths) {
        this.lengths = lengths;
    }

    /** Of tokens that stand for no text. */
    static TokenBytes none() {
        return new TokenBytes(new int[0]);
    }

    static TokenBytes of(Tokenizer tokenizer) {
        try {
            JsonNode root = new ObjectMapper().readTree(tokenizer.json());
            return new TokenBytes(lengths(root));
        } catch (IOException e) {
            throw new IllegalStateException("the tokenizer was read from this JSON", e);
        }
    }

    /** Bytes of the token {@code id}; 0 for an id that the vocabulary does not have. */
    int of(int id) {
        return id < lengths.length ? lengths[id] : 0;
    }

    private static int[] lengths(JsonNode root) {
        boolean byteLevel = !root.path("decoder").findValues("type").stream()
                .filter(type -> type.asText().equals("ByteLevel"))
                .toList()
                .isEmpty();
        int[] lengths = new int[0];
        JsonNode vocabulary = root.path("model").path("vocab");
        if (vocabulary.isArray()) {
            // Unigram: a list of [token, score].
            for (int id = 0; id < vocabulary.size(); id++) {
                lengths = put(lengths, id, length(vocabulary.get(id).path(0).asText(), byteLevel));
            }
        } else {
            for (var entry : vocabulary.properties()) {
                lengths = put(lengths, entry.getValue().asInt(), length(entry.getKey(), byteLevel));
            }
        }
        for (JsonNode token : root.path("added_tokens")) {
            int length = token.path("special").asBoolean()
                    ? 0
                    : utf8Length(token.path("content").asText());
            lengths = put(lengths, token.path("id").asInt(), length);
        }
        return lengths;
    }

    private static int[] put(int[] lengths, int id, int length) {
        int[] grown = id < lengths.length ? lengths : Arrays.copyOf(lengths, Math.max(id + 1, 2 * lengths.length));
        grown[id] = length;
        return grown;
    }

    private static int length(String token, boolean byteLevel) {
        if (byteLevel) {
            return token.length();
        }
        return BYTE_TOKEN.matcher(token).matches() ? 1 : utf8Length(token.replace('▁', ' '));
    }

    private static int utf8Length(String text) {
        return text.getBytes(StandardCharsets.UTF_8).length;
    }
}
