package dev.demitasse.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.chat.ChatTemplate;
import dev.demitasse.model.files.JsonFile;
import dev.demitasse.model.files.JsonFile.Duplicates;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A folder's tokenizer_config.json, and the older special_tokens_map.json and added_tokens.json beside it: what
 * transformers knows of a tokenizer that its vocabulary does not say.
 */
final class TokenizerConfig {
    private static final long MAXIMUM_BYTES = 1L << 28;
    private static final long LONGEST_TEMPLATE = 1 << 20;
    private static final int MAXIMUM_TOKENS = 1 << 24;

    private final Path path;
    private final JsonNode root;
    private final JsonNode special;
    private final JsonNode added;

    private TokenizerConfig(Path path, JsonNode root, JsonNode special, JsonNode added) {
        this.path = path;
        this.root = root;
        this.special = special;
        this.added = added;
    }

    /** What is there; nothing need be. */
    static TokenizerConfig read(Path folder) throws IOException {
        Path path = folder.resolve("tokenizer_config.json");
        return new TokenizerConfig(
                path,
                object(path),
                object(folder.resolve("special_tokens_map.json")),
                object(folder.resolve("added_tokens.json")));
    }

    /** A file's JSON object; nothing where there is no file. */
    static JsonNode object(Path file) throws IOException {
        return Files.isRegularFile(file)
                ? JsonFile.read(file, MAXIMUM_BYTES, file.getFileName().toString(), Duplicates.LAST_COUNTS)
                : MissingNode.getInstance();
    }

    JsonNode root() {
        return root;
    }

    boolean flag(String key, boolean otherwise) {
        return root.path(key).asBoolean(otherwise);
    }

    /** The name of transformers' class, less "Fast"; empty where none is named. */
    String tokenizerClass() {
        String name = root.path("tokenizer_class").asText("");
        return name.endsWith("Fast") ? name.substring(0, name.length() - 4) : name;
    }

    /** The text of a special token such as {@code bos_token}. */
    Optional<String> token(String key) {
        for (JsonNode node : List.of(root.path(key), special.path(key))) {
            String text = node.isObject() ? node.path("content").asText("") : node.asText("");
            if (!node.isNull() && !text.isEmpty()) {
                return Optional.of(text);
            }
        }
        return Optional.empty();
    }

    /**
     * How the model writes conversations: chat_template.jinja, else {@code chat_template} here or in
     * chat_template.json; of several by name the one called default.
     */
    Optional<ChatTemplate> chatTemplate(Path folder) throws IOException {
        Path file = folder.resolve("chat_template.jinja");
        Optional<String> source = Optional.empty();
        if (Files.isRegularFile(file) && Files.size(file) <= LONGEST_TEMPLATE) {
            source = Optional.of(new String(Files.readAllBytes(file), StandardCharsets.UTF_8));
        }
        for (JsonNode node : List.of(root, object(folder.resolve("chat_template.json")))) {
            if (source.isEmpty()) {
                file = path;
                source = template(node.path("chat_template"));
            }
        }
        Map<String, String> tokens = new LinkedHashMap<>();
        for (String key : List.of("bos_token", "eos_token", "unk_token", "pad_token")) {
            token(key).ifPresent(token -> tokens.put(key, token));
        }
        Path where = file;
        return source.map(text -> new ChatTemplate(where, text, tokens));
    }

    private static Optional<String> template(JsonNode node) {
        if (node.isTextual()) {
            return Optional.of(node.textValue());
        }
        Optional<String> first = Optional.empty();
        for (JsonNode named : node) {
            if (named.path("template").isTextual()) {
                String text = named.path("template").textValue();
                if (named.path("name").asText().equals("default")) {
                    return Optional.of(text);
                }
                first = first.isPresent() ? first : Optional.of(text);
            }
        }
        return first;
    }

    /** The id of a special token among {@code tokens}. */
    OptionalInt id(String key, List<String> tokens) {
        int id = token(key).map(tokens::indexOf).orElse(-1);
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** The tokens that are added to a vocabulary, or are special in it. */
    TokenizerData with(TokenizerData data) {
        List<String> tokens = new ArrayList<>(data.tokens());
        List<TokenType> types = new ArrayList<>(data.types());
        Map<Integer, JsonNode> detailed = new LinkedHashMap<>();
        root.path("added_tokens_decoder")
                .properties()
                .forEach(entry -> detailed.put(id(entry.getKey()), entry.getValue()));
        added.properties().forEach(entry -> {
            int id = id(entry.getValue().asText());
            if (!detailed.containsKey(id)) {
                set(tokens, types, id, entry.getKey(), named(entry.getKey()));
            }
        });
        detailed.forEach((id, token) -> set(
                tokens,
                types,
                id,
                token.path("content").asText(),
                token.path("special").asBoolean()));
        for (String key : List.of("bos_token", "eos_token", "pad_token", "sep_token", "cls_token", "mask_token")) {
            id(key, tokens).ifPresent(id -> set(tokens, types, id, tokens.get(id), true));
        }
        return data.withTokens(tokens, types);
    }

    private boolean named(String token) {
        return List.of("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
                .stream()
                .anyMatch(key -> token(key).filter(token::equals).isPresent());
    }

    private static void set(List<String> tokens, List<TokenType> types, int id, String token, boolean special) {
        while (tokens.size() <= id) {
            tokens.add("[PAD" + tokens.size() + "]");
            types.add(TokenType.UNUSED);
        }
        tokens.set(id, token);
        if (types.get(id) != TokenType.UNKNOWN) {
            types.set(id, special ? TokenType.CONTROL : TokenType.USER_DEFINED);
        }
    }

    private int id(String text) {
        try {
            int id = Integer.parseInt(text);
            if (id >= 0 && id < MAXIMUM_TOKENS) {
                return id;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw new MalformedModelException(path, "has the impossible token id '" + text + "'", "fetch it again");
    }
}
