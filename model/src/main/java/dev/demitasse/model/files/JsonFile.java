package dev.demitasse.model.files;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import dev.demitasse.model.MalformedModelException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Reads JSON that nobody vouches for: UTF-8 and nothing else, nested no deeper than models' files are, nothing after its
 * end.
 */
public final class JsonFile {
    private static final int MAXIMUM_DEPTH = 100;
    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(MAXIMUM_DEPTH)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private JsonFile() {}

    /** Whether an object may have two values of one name. */
    public enum Duplicates {
        /** As in Python. */
        LAST_COUNTS,
        REFUSED
    }

    /**
     * Reads an object from a file of at most {@code maximumBytes}.
     *
     * @param what the file is, for errors: {@code config.json}
     * @throws MalformedModelException if it is longer, or no JSON object
     */
    public static JsonNode read(Path path, long maximumBytes, String what, Duplicates duplicates) throws IOException {
        long bytes = Files.size(path);
        if (bytes > maximumBytes) {
            throw new MalformedModelException(
                    path,
                    "takes %,d bytes, no %s is longer than %,d".formatted(bytes, what, maximumBytes),
                    "check that it is one");
        }
        return parse(path, Files.readAllBytes(path), what, duplicates);
    }

    /**
     * Reads an object.
     *
     * @param where the bytes came from, for errors
     * @param what they are, for errors
     * @throws MalformedModelException if they are no JSON object
     */
    public static JsonNode parse(Object where, byte[] utf8, String what, Duplicates duplicates) {
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(utf8))
                    .toString();
            return parse(where, text, what, duplicates);
        } catch (CharacterCodingException e) {
            throw new MalformedModelException(where, "the " + what + " is no UTF-8 text", "fetch it again", e);
        }
    }

    /** As {@link #parse(Object, byte[], String, Duplicates)}. */
    public static JsonNode parse(Object where, String text, String what, Duplicates duplicates) {
        try {
            ObjectReader reader = JSON.reader();
            JsonNode root = (duplicates == Duplicates.REFUSED
                            ? reader.with(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                            : reader)
                    .readTree(text);
            if (root.isObject()) {
                return root;
            }
        } catch (JsonProcessingException e) {
            throw new MalformedModelException(
                    where, "the %s is not JSON: %s".formatted(what, e.getOriginalMessage()), "fetch it again", e);
        }
        throw new MalformedModelException(where, "the " + what + " is not a JSON object", "fetch it again");
    }
}
