package dev.demitasse.export.gguf;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.demitasse.export.ExportReport;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.SpecialTokens;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * A tokenizer.json as the {@code tokenizer.ggml.*} metadata that llama.cpp tokenizes by. It knows two kinds of BPE:
 * byte-level ({@code gpt2}: merges by rank, after a split by an expression it knows by name) and SentencePiece's
 * ({@code llama}: the pair whose piece has the highest score is merged first, so that scores are the ranks of merges).
 */
final class TokenizerMetadata {
    private static final String PREFIX = "tokenizer.ggml.";
    private static final ObjectMapper JSON = new ObjectMapper();

    /** ggml's kinds of tokens (llama.h, {@code enum llama_token_type}). */
    private static final int NORMAL = 1;

    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int UNUSED = 5;
    private static final int BYTE = 6;

    private final JsonNode root;
    private final ModelConfig config;
    private final ExportReport.Builder report;
    private final String[] tokens;
    private final int[] types;
    private final Map<String, Integer> ids = new HashMap<>();

    private TokenizerMetadata(JsonNode root, ModelConfig config, ExportReport.Builder report) {
        this.root = root;
        this.config = config;
        this.report = report;
        this.tokens = new String[config.vocabularySize()];
        this.types = new int[config.vocabularySize()];
    }

    /** The metadata of a model without a tokenizer: llama.cpp then takes ids only. */
    static Map<String, Object> none() {
        return Map.of(PREFIX + "model", "none");
    }

    /**
     * @param where the checkpoint, for errors
     * @param json the text of tokenizer.json
     */
    static Map<String, Object> of(Object where, String json, ModelConfig config, ExportReport.Builder report) {
        JsonNode root;
        try {
            root = JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw new InvalidRequestException(
                    where, "its tokenizer.json is not JSON: " + e.getOriginalMessage(), "take the model's own");
        }
        String type = root.path("model").path("type").asText("BPE");
        if (!type.equals("BPE") || !root.path("model").path("merges").isArray()) {
            report.note("llama.cpp has no tokenizer like this %s one: the file takes ids only".formatted(type));
            return none();
        }
        TokenizerMetadata tokenizer = new TokenizerMetadata(root, config, report);
        tokenizer.fill(where);
        return tokenizer.metadata();
    }

    private void fill(Object where) {
        root.path("model")
                .path("vocab")
                .properties()
                .forEach(token -> put(where, token.getKey(), token.getValue().asInt(-1), NORMAL));
        for (JsonNode added : root.path("added_tokens")) {
            int kind = added.path("special").asBoolean() ? CONTROL : USER_DEFINED;
            put(where, added.path("content").asText(), added.path("id").asInt(-1), kind);
        }
        for (int id = 0; id < tokens.length; id++) {
            if (types[id] == 0) {
                tokens[id] = "[PAD" + id + "]";
                types[id] = UNUSED;
            }
        }
    }

    private void put(Object where, String token, int id, int type) {
        if (id < 0 || id >= tokens.length) {
            throw new InvalidRequestException(
                    where,
                    "its tokenizer gives token '%s' the id %d, but the model has %,d embeddings"
                            .formatted(token, id, tokens.length),
                    "tokenizer and model do not belong together");
        }
        tokens[id] = token;
        types[id] = type;
        ids.put(token, id);
    }

    private Map<String, Object> metadata() {
        Map<String, Object> metadata = new LinkedHashMap<>();
        boolean byteLevel = PreTokenizer.byteLevel(root);
        metadata.put(PREFIX + "model", byteLevel ? "gpt2" : "llama");
        metadata.put(PREFIX + "pre", byteLevel ? PreTokenizer.name(root, report) : "default");
        JsonNode unknown = root.path("model").path("unk_token");
        OptionalInt unknownId = unknown.isTextual() ? id(unknown.asText()) : OptionalInt.empty();
        if (!byteLevel) {
            unknownId.ifPresent(id -> types[id] = UNKNOWN);
            markBytes();
        }
        metadata.put(PREFIX + "tokens", Arrays.asList(tokens));
        metadata.put(PREFIX + "token_type", types);
        if (byteLevel) {
            metadata.put(
                    PREFIX + "merges",
                    merges().stream().map(pair -> pair[0] + " " + pair[1]).toList());
        } else {
            metadata.put(PREFIX + "scores", scores());
        }
        special(metadata, unknownId);
        if (!byteLevel) {
            metadata.put(PREFIX + "add_space_prefix", PreTokenizer.addsSpace(root));
        }
        return metadata;
    }

    private void markBytes() {
        for (int value = 0; value < 256; value++) {
            OptionalInt id = id("<0x%02X>".formatted(value));
            if (id.isPresent() && types[id.getAsInt()] == NORMAL) {
                types[id.getAsInt()] = BYTE;
            }
        }
    }

    private void special(Map<String, Object> metadata, OptionalInt unknown) {
        SpecialTokens special = config.specialTokens();
        OptionalInt first = template(0);
        OptionalInt last = template(-1);
        OptionalInt begin = first.isPresent() ? first : special.bos();
        begin.ifPresent(id -> metadata.put(PREFIX + "bos_token_id", id));
        List<Integer> ends = special.eos();
        if (!ends.isEmpty()) {
            metadata.put(PREFIX + "eos_token_id", ends.getFirst());
        }
        if (ends.size() > 1) {
            metadata.put(PREFIX + "eot_token_id", ends.get(1));
        }
        unknown.ifPresent(id -> metadata.put(PREFIX + "unknown_token_id", id));
        special.pad().ifPresent(id -> metadata.put(PREFIX + "padding_token_id", id));
        metadata.put(PREFIX + "add_bos_token", first.isPresent());
        metadata.put(PREFIX + "add_eos_token", last.isPresent());
    }

    /** The special token that the post-processor puts first (0) or last (-1), if it does. */
    private OptionalInt template(int place) {
        JsonNode processor = root.path("post_processor");
        List<JsonNode> candidates = new ArrayList<>(List.of(processor));
        processor.path("processors").forEach(candidates::add);
        for (JsonNode candidate : candidates) {
            JsonNode single = candidate.path("single");
            if (!single.isEmpty()) {
                JsonNode token = single.get(place == 0 ? 0 : single.size() - 1).path("SpecialToken");
                JsonNode id = candidate
                        .path("special_tokens")
                        .path(token.path("id").asText())
                        .path("ids")
                        .path(0);
                if (id.isInt()) {
                    return OptionalInt.of(id.asInt());
                }
            }
        }
        return OptionalInt.empty();
    }

    /** By rank; a file holds them as pairs, older ones as text with a space between. */
    private List<String[]> merges() {
        List<String[]> merges = new ArrayList<>();
        for (JsonNode merge : root.path("model").path("merges")) {
            merges.add(
                    merge.isArray()
                            ? new String[] {
                                merge.path(0).asText(), merge.path(1).asText()
                            }
                            : merge.asText().split(" ", 2));
        }
        return merges;
    }

    /** Minus the rank of the first merge that makes a piece; pieces that no merge makes come after all others. */
    private float[] scores() {
        float[] scores = new float[tokens.length];
        boolean[] made = new boolean[tokens.length];
        int rank = 0;
        for (String[] merge : merges()) {
            OptionalInt id = id(merge[0] + merge[1]);
            if (id.isPresent() && !made[id.getAsInt()]) {
                made[id.getAsInt()] = true;
                scores[id.getAsInt()] = -rank;
                rank++;
            }
        }
        for (int id = 0; id < tokens.length; id++) {
            if (!made[id] && types[id] == NORMAL) {
                scores[id] = -rank;
                rank++;
            }
        }
        return scores;
    }

    private OptionalInt id(String token) {
        Integer id = ids.get(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }
}
