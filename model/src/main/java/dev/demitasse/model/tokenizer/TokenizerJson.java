package dev.demitasse.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.tokenizer.TokenizerData.Kind;
import dev.demitasse.model.tokenizer.TokenizerData.Merge;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Pattern;

/** Reads a tokenizer.json (github.com/huggingface/tokenizers) of a BPE model. */
final class TokenizerJson {
    static final String SPACE = "▁";
    private static final Pattern BYTE = Pattern.compile("<0x[0-9A-F]{2}>");
    private static final int MAXIMUM_TOKENS = 1 << 24;

    private final Path path;
    private final JsonNode root;

    TokenizerJson(Path path, JsonNode root) {
        this.path = path;
        this.root = root;
    }

    /** One more than the largest id; of any kind of model. */
    int vocabularySize() {
        JsonNode vocabulary = root.path("model").path("vocab");
        int largest = vocabulary.isArray() ? vocabulary.size() - 1 : -1;
        if (vocabulary.isObject()) {
            for (JsonNode id : vocabulary) {
                largest = Math.max(largest, id(id));
            }
        }
        for (JsonNode token : root.path("added_tokens")) {
            largest = Math.max(largest, id(token.path("id")));
        }
        return largest + 1;
    }

    private int id(JsonNode node) {
        if (!node.isInt() || node.intValue() < 0 || node.intValue() >= MAXIMUM_TOKENS) {
            throw malformed("has the impossible token id " + node);
        }
        return node.intValue();
    }

    /** What the post-processor puts before a text. */
    OptionalInt begin() {
        return special(true);
    }

    private OptionalInt end() {
        return special(false);
    }

    private OptionalInt special(boolean first) {
        for (JsonNode processor : steps(root.path("post_processor"), "processors")) {
            JsonNode template = processor.path("single");
            if (processor.path("type").asText().equals("TemplateProcessing") && !template.isEmpty()) {
                JsonNode piece = template.get(first ? 0 : template.size() - 1);
                String name = piece.path("SpecialToken").path("id").asText("");
                JsonNode ids = processor.path("special_tokens").path(name).path("ids");
                if (piece.has("SpecialToken") && !ids.isEmpty()) {
                    return OptionalInt.of(id(first ? ids.get(0) : ids.get(ids.size() - 1)));
                }
            }
        }
        return OptionalInt.empty();
    }

    /** The node's parts if it is a sequence, else itself. */
    private static List<JsonNode> steps(JsonNode node, String listKey) {
        if (!node.path("type").asText().equals("Sequence")) {
            return List.of(node);
        }
        List<JsonNode> steps = new ArrayList<>();
        node.path(listKey).forEach(step -> steps.addAll(steps(step, listKey)));
        return steps;
    }

    TokenizerData read() {
        JsonNode model = root.path("model");
        if (!model.path("vocab").isObject() || !model.path("merges").isArray()) {
            throw new InvalidRequestException(
                    path,
                    "is a tokenizer of type " + model.path("type").asText("unknown") + ", expected BPE",
                    "Demitasse carries BPE tokenizers over to other files");
        }
        Kind kind = kind();
        List<String> tokens = new ArrayList<>(Collections.nCopies(vocabularySize(), ""));
        List<TokenType> types = new ArrayList<>(Collections.nCopies(tokens.size(), TokenType.UNUSED));
        boolean bytes = model.path("byte_fallback").asBoolean();
        for (Map.Entry<String, JsonNode> token : model.path("vocab").properties()) {
            boolean isByte = bytes && BYTE.matcher(token.getKey()).matches();
            tokens.set(id(token.getValue()), token.getKey());
            types.set(id(token.getValue()), isByte ? TokenType.BYTE : TokenType.NORMAL);
        }
        String unknown = model.path("unk_token").asText("");
        for (JsonNode token : root.path("added_tokens")) {
            int id = id(token.path("id"));
            tokens.set(id, token.path("content").asText());
            types.set(id, token.path("special").asBoolean() ? TokenType.CONTROL : TokenType.USER_DEFINED);
        }
        for (int id = 0; id < tokens.size(); id++) {
            if (types.get(id) == TokenType.UNUSED) {
                tokens.set(id, "[PAD" + id + "]");
            }
        }
        int unknownId = model.path("unk_token").isTextual() ? tokens.indexOf(unknown) : -1;
        if (unknownId >= 0) {
            types.set(unknownId, TokenType.UNKNOWN);
        }
        List<Merge> merges = merges();
        return new TokenizerData(
                kind,
                tokens,
                types,
                kind == Kind.SENTENCE_PIECE ? scores(tokens, types, merges) : List.of(),
                merges,
                kind == Kind.BYTE_LEVEL ? PreTokenizer.ofJson(root.path("pre_tokenizer")) : Optional.empty(),
                kind == Kind.SENTENCE_PIECE && spacePrefix(),
                unknownId < 0 ? OptionalInt.empty() : OptionalInt.of(unknownId),
                begin(),
                end());
    }

    private Kind kind() {
        for (JsonNode step : steps(root.path("pre_tokenizer"), "pretokenizers")) {
            switch (step.path("type").asText()) {
                case "ByteLevel" -> {
                    return Kind.BYTE_LEVEL;
                }
                case "Metaspace" -> {
                    return Kind.SENTENCE_PIECE;
                }
                default -> {}
            }
        }
        for (JsonNode step : steps(root.path("normalizer"), "normalizers")) {
            if (step.path("type").asText().equals("Replace")
                    && step.path("content").asText().equals(SPACE)) {
                return Kind.SENTENCE_PIECE;
            }
        }
        throw new InvalidRequestException(
                path,
                "is a BPE tokenizer neither of bytes nor with ▁ for spaces",
                "Demitasse carries only those over to other files");
    }

    private boolean spacePrefix() {
        boolean prepended = steps(root.path("normalizer"), "normalizers").stream()
                .anyMatch(step -> step.path("type").asText().equals("Prepend"));
        JsonNode pre = root.path("pre_tokenizer");
        boolean metaspace = pre.path("type").asText().equals("Metaspace")
                && !pre.path("prepend_scheme").asText("always").equals("never");
        return prepended || metaspace;
    }

    private List<Merge> merges() {
        JsonNode vocabulary = root.path("model").path("vocab");
        List<Merge> merges = new ArrayList<>();
        for (JsonNode merge : root.path("model").path("merges")) {
            merges.add(
                    merge.size() == 2
                            ? new Merge(merge.get(0).asText(), merge.get(1).asText())
                            : merge(vocabulary, merge.asText()));
        }
        return merges;
    }

    /** The older spelling, {@code "a b"}: tokens may hold spaces themselves, so both parts must be tokens. */
    private Merge merge(JsonNode vocabulary, String text) {
        for (int space = text.indexOf(' ', 1); space > 0; space = text.indexOf(' ', space + 1)) {
            Merge merge = new Merge(text.substring(0, space), text.substring(space + 1));
            if (vocabulary.has(merge.left()) && vocabulary.has(merge.right())) {
                return merge;
            }
        }
        throw malformed("has the impossible merge '" + text + "'");
    }

    /**
     * The text for the library: a tokenizer.json may ask to cut or pad every text, as its last user's data needed, and
     * spell merges so that their tokens cannot hold spaces; ours does neither.
     */
    String forLibrary(String json) {
        boolean asIs = root.path("truncation").isEmpty() && root.path("padding").isEmpty();
        for (JsonNode merge : root.path("model").path("merges")) {
            asIs &= !merge.isTextual()
                    || merge.asText().indexOf(' ') == merge.asText().lastIndexOf(' ');
        }
        if (asIs) {
            return json;
        }
        ObjectNode copy = root.deepCopy();
        copy.putNull("truncation").putNull("padding");
        if (copy.path("model").path("merges").isArray() && copy.get("model") instanceof ObjectNode model) {
            ArrayNode merges = JsonNodeFactory.instance.arrayNode();
            merges().forEach(merge -> merges.addArray().add(merge.left()).add(merge.right()));
            model.set("merges", merges);
        }
        return copy.toString();
    }

    /** The earlier a token's first merge, the higher its score; tokens that no merge makes come last. */
    private static List<Double> scores(List<String> tokens, List<TokenType> types, List<Merge> merges) {
        Map<String, Double> made = new HashMap<>();
        merges.forEach(merge -> made.putIfAbsent(merge.result(), (double) -made.size()));
        List<Double> scores = new ArrayList<>();
        int others = made.size();
        for (int id = 0; id < tokens.size(); id++) {
            if (types.get(id) != TokenType.NORMAL) {
                scores.add(0.0);
            } else if (made.containsKey(tokens.get(id))) {
                scores.add(made.get(tokens.get(id)));
            } else {
                scores.add((double) -others++);
            }
        }
        return scores;
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(path, problem, "take the tokenizer.json that came with the model");
    }
}
