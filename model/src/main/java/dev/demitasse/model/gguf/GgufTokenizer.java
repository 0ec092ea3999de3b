package dev.demitasse.model.gguf;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.chat.ChatTemplate;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A tokenizer as GGUF metadata, keys {@code tokenizer.*} (ggml, docs/gguf.md, "Tokenizer"). */
public final class GgufTokenizer {
    static final String JSON = "tokenizer.huggingface.json";
    static final String CHAT_TEMPLATE = "tokenizer.chat_template";
    static final String MODEL = "tokenizer.ggml.model";
    static final String PRE = "tokenizer.ggml.pre";
    static final String TOKENS = "tokenizer.ggml.tokens";
    static final String TYPES = "tokenizer.ggml.token_type";
    static final String SCORES = "tokenizer.ggml.scores";
    static final String MERGES = "tokenizer.ggml.merges";
    static final String BEGIN = "tokenizer.ggml.bos_token_id";
    static final String END = "tokenizer.ggml.eos_token_id";
    static final String END_OF_TURN = "tokenizer.ggml.eot_token_id";
    static final String UNKNOWN = "tokenizer.ggml.unknown_token_id";
    static final String PADDING = "tokenizer.ggml.padding_token_id";
    /** Spelled so in GGUF. */
    static final String SEPARATOR = "tokenizer.ggml.seperator_token_id";

    static final String ADD_BEGIN = "tokenizer.ggml.add_bos_token";
    static final String ADD_END = "tokenizer.ggml.add_eos_token";
    static final String ADD_SEPARATOR = "tokenizer.ggml.add_sep_token";
    static final String SPACE_PREFIX = "tokenizer.ggml.add_space_prefix";
    static final String MERGE_SPACES = "tokenizer.ggml.remove_extra_whitespaces";
    static final String CHARSMAP = "tokenizer.ggml.precompiled_charsmap";
    static final String LOWERCASE = "tokenizer.ggml.normalizer.lowercase";
    static final String STRIP_ACCENTS = "tokenizer.ggml.normalizer.strip_accents";

    private GgufTokenizer() {}

    /**
     * What is written.
     *
     * @param values the keys under {@code tokenizer}: Integer, Boolean, String, and List of Integer, Byte, Float or
     *     String
     * @param cautions in what llama.cpp will not do as the tokenizer does
     */
    public record Keys(Map<String, Object> values, List<String> cautions) {}

    /**
     * The file's tokenizer: its tokenizer.json where it has one, else one made of its tokens. Nothing where it has
     * neither.
     */
    public static Optional<Tokenizer> read(GgufMetadata metadata) {
        Optional<String> json = metadata.text(JSON);
        boolean none =
                metadata.text(MODEL).filter(model -> model.equals("none")).isPresent();
        if (json.isEmpty() && (none || !metadata.has(TOKENS))) {
            return Optional.empty();
        }
        return Optional.of(Tokenizer.ofJson(
                        metadata.path(),
                        json.orElseGet(() -> GgufTokenizerReader.read(metadata).toJson()))
                .withChatTemplate(chatTemplate(metadata)));
    }

    private static Optional<ChatTemplate> chatTemplate(GgufMetadata metadata) {
        List<String> tokens = metadata.list(TOKENS, String.class).orElse(List.of());
        Map<String, String> special = new LinkedHashMap<>();
        Map.of("bos_token", BEGIN, "eos_token", END, "unk_token", UNKNOWN, "pad_token", PADDING)
                .forEach((name, key) -> metadata.id(key).stream()
                        .filter(id -> id < tokens.size())
                        .forEach(id -> special.put(name, tokens.get(id))));
        return metadata.text(CHAT_TEMPLATE).map(text -> new ChatTemplate(metadata.path(), text, special));
    }

    /**
     * The keys of a model with this tokenizer. Ids that the model has beyond the tokenizer's become unused tokens. The
     * tokenizer.json itself is left out, megabytes in every file for what the keys say already, unless they cannot.
     *
     * @throws dev.demitasse.model.InvalidRequestException if the tokenizer is of a kind that GGUF does not know, or has
     *     more tokens than the model
     */
    public static Keys write(Tokenizer tokenizer, ModelConfig config) {
        return new GgufTokenizerWriter(tokenizer, config).write();
    }
}
