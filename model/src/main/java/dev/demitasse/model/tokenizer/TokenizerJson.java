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
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Pattern;

/** Reads a tokenizer.json (github.com/huggingface/tokenizers) of any {@link Kind}. */
final class TokenizerJson {
    static final String SPACE = "▁";
    static final String CONTINUATION = "##";
    static final Pattern BYTE = Pattern.compile("<0x[0-9A-F]{2}>");
    private static final int MAXIMUM_TOKENS = 1 << 24;

    private final Path path;
    private final JsonNode root;
    private final JsonNode model;

    TokenizerJson(Path path, JsonNode root) {
        this.path = path;
        this.root = root;
        this.model = root.path("model");
    }

    /** One more than the largest id; of any kind of model. */
    int vocabularySize() {
        JsonNode vocabulary = model.path("vocab");
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
        int tokens = model.path("vocab").size() + root.path("added_tokens").size();
        if (!node.isInt() || node.intValue() < 0 || node.intValue() > largestId(tokens)) {
            throw malformed("has the impossible token id " + node + " among " + tokens + " tokens");
        }
        return node.intValue();
    }

    /** Ids may leave gaps, but one that is far off would be believed to tell the vocabulary's size. */
    static long largestId(int tokens) {
        return Math.min(MAXIMUM_TOKENS, 4L * tokens + 65_536);
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
            switch (processor.path("type").asText()) {
                case "BertProcessing", "RobertaProcessing" -> {
                    return OptionalInt.of(
                            id(processor.path(first ? "cls" : "sep").path(1)));
                }
                case "TemplateProcessing" -> {
                    OptionalInt id = special(processor, first);
                    if (id.isPresent()) {
                        return id;
                    }
                }
                default -> {}
            }
        }
        return OptionalInt.empty();
    }

    private OptionalInt special(JsonNode processor, boolean first) {
        JsonNode template = processor.path("single");
        JsonNode piece = template.path(first ? 0 : template.size() - 1);
        String name = piece.path("SpecialToken").path("id").asText("");
        JsonNode ids = processor.path("special_tokens").path(name).path("ids");
        return piece.has("SpecialToken") && !ids.isEmpty()
                ? OptionalInt.of(id(ids.get(first ? 0 : ids.size() - 1)))
                : OptionalInt.empty();
    }

    /** The node's parts if it is a sequence, else itself. */
    static List<JsonNode> steps(JsonNode node, String listKey) {
        if (!node.path("type").asText().equals("Sequence")) {
            return List.of(node);
        }
        List<JsonNode> steps = new ArrayList<>();
        node.path(listKey).forEach(step -> steps.addAll(steps(step, listKey)));
        return steps;
    }

    /** Tokens that stand for a byte and special tokens: those whose text depends on their neighbours or is none. */
    Silent silent() {
        BitSet bytes = new BitSet();
        if (steps(root.path("decoder"), "decoders").stream()
                .anyMatch(step -> step.path("type").asText().equals("ByteFallback"))) {
            model.path("vocab").properties().stream()
                    .filter(token -> BYTE.matcher(token.getKey()).matches())
                    .forEach(token -> bytes.set(id(token.getValue())));
            for (int id = 0;
                    model.path("vocab").isArray() && id < model.path("vocab").size();
                    id++) {
                bytes.set(
                        id,
                        BYTE.matcher(model.path("vocab").path(id).path(0).asText())
                                .matches());
            }
        }
        BitSet special = new BitSet();
        root.path("added_tokens").forEach(token -> {
            if (token.path("special").asBoolean()) {
                special.set(id(token.path("id")));
            }
        });
        return new Silent(bytes, special);
    }

    /** @see #silent */
    record Silent(BitSet bytes, BitSet special) {}

    TokenizerData read() {
        Kind kind = kind();
        List<String> tokens = new ArrayList<>(Collections.nCopies(vocabularySize(), ""));
        List<TokenType> types = new ArrayList<>(Collections.nCopies(tokens.size(), TokenType.UNUSED));
        int unknown = readVocabulary(kind, tokens, types);
        readAdded(kind, tokens, types);
        for (int id = 0; id < tokens.size(); id++) {
            if (types.get(id) == TokenType.UNUSED) {
                tokens.set(id, "[PAD" + id + "]");
            }
        }
        if (unknown >= 0) {
            types.set(unknown, TokenType.UNKNOWN);
        }
        List<Merge> merges = merges();
        boolean inside = tokens.stream().anyMatch(token -> token.indexOf(SPACE, 1) > 0);
        TextSteps text = new TextSteps(kind, root.path("normalizer"), root.path("pre_tokenizer"), inside);
        List<String> omissions = new ArrayList<>(text.omissions());
        return new TokenizerData(
                kind,
                tokens,
                types,
                switch (kind) {
                    case SENTENCE_PIECE -> SentencePieceMerges.scores(tokens, types, merges);
                    case UNIGRAM -> scores(tokens.size());
                    case BYTE_LEVEL, WORD_PIECE -> List.of();
                },
                merges,
                kind == Kind.BYTE_LEVEL ? preTokenizer(text.composes(), omissions) : Optional.empty(),
                text.normalization(),
                unknown < 0 ? OptionalInt.empty() : OptionalInt.of(unknown),
                begin(),
                end(),
                omissions);
    }

    private Optional<PreTokenizer> preTokenizer(boolean composes, List<String> omissions) {
        boolean whole = model.path("ignore_merges").asBoolean();
        Optional<PreTokenizer> found = PreTokenizer.ofJson(root.path("pre_tokenizer"), composes, whole);
        if (found.isEmpty()) {
            omissions.add("cuts text in a way that GGUF has no name for");
        } else if (found.get().composes() != composes) {
            omissions.add((composes ? "brings" : "does not bring") + " text into normal form C");
        }
        return found;
    }

    /** Fills in what the model itself knows; returns the id of the unknown token, or -1. */
    private int readVocabulary(Kind kind, List<String> tokens, List<TokenType> types) {
        JsonNode vocabulary = model.path("vocab");
        boolean bytes = model.path("byte_fallback").asBoolean();
        if (kind == Kind.UNIGRAM) {
            for (int id = 0; id < vocabulary.size(); id++) {
                set(tokens, types, id, vocabulary.path(id).path(0).asText(), bytes);
            }
            JsonNode unknown = model.path("unk_id");
            return unknown.isNull() || unknown.isMissingNode() ? -1 : known(id(unknown), tokens);
        }
        for (Map.Entry<String, JsonNode> token : vocabulary.properties()) {
            set(tokens, types, id(token.getValue()), token.getKey(), bytes);
        }
        JsonNode unknown = vocabulary.path(model.path("unk_token").asText(""));
        return unknown.isMissingNode() ? -1 : id(unknown);
    }

    private static void set(List<String> tokens, List<TokenType> types, int id, String token, boolean bytes) {
        tokens.set(id, token);
        types.set(id, bytes && BYTE.matcher(token).matches() ? TokenType.BYTE : TokenType.NORMAL);
    }

    private int known(int id, List<String> tokens) {
        if (id >= tokens.size()) {
            throw malformed("has the unknown token %d of %d".formatted(id, tokens.size()));
        }
        return id;
    }

    private void readAdded(Kind kind, List<String> tokens, List<TokenType> types) {
        for (JsonNode token : root.path("added_tokens")) {
            int id = id(token.path("id"));
            boolean special = token.path("special").asBoolean();
            String content = token.path("content").asText();
            // Such a one is looked for after spaces became ▁; GGUF's and ours are looked for before.
            boolean later = !special && token.path("normalized").asBoolean() && kind.scored();
            tokens.set(id, later ? content.replace(SPACE, " ") : content);
            types.set(id, special ? TokenType.CONTROL : TokenType.USER_DEFINED);
        }
    }

    private List<Double> scores(int count) {
        List<Double> scores = new ArrayList<>();
        double lowest = 0;
        for (JsonNode entry : model.path("vocab")) {
            double score = entry.path(1).asDouble();
            lowest = Math.min(lowest, score);
            scores.add(score);
        }
        while (scores.size() < count) {
            scores.add(lowest);
        }
        return scores;
    }

    private Kind kind() {
        JsonNode vocabulary = model.path("vocab");
        String type = model.path("type").asText("unknown");
        if (vocabulary.isArray()) {
            return Kind.UNIGRAM;
        }
        if (vocabulary.isObject() && model.path("merges").isArray()) {
            return mergingKind();
        }
        boolean wordPiece = type.equals("WordPiece")
                && model.path("continuing_subword_prefix").asText(CONTINUATION).equals(CONTINUATION);
        if (vocabulary.isObject() && wordPiece) {
            return Kind.WORD_PIECE;
        }
        throw new InvalidRequestException(
                path,
                "is a tokenizer of type " + type + ", expected BPE, Unigram or WordPiece",
                "Demitasse carries only those over to other files");
    }

    private Kind mergingKind() {
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

    private List<Merge> merges() {
        JsonNode vocabulary = model.path("vocab");
        List<Merge> merges = new ArrayList<>();
        for (JsonNode merge : model.path("merges")) {
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
        for (JsonNode merge : model.path("merges")) {
            asIs &= !merge.isTextual()
                    || merge.asText().indexOf(' ') == merge.asText().lastIndexOf(' ');
        }
        if (asIs) {
            return json;
        }
        ObjectNode copy = root.deepCopy();
        copy.putNull("truncation").putNull("padding");
        if (copy.path("model").path("merges").isArray() && copy.get("model") instanceof ObjectNode copied) {
            ArrayNode merges = JsonNodeFactory.instance.arrayNode();
            merges().forEach(merge -> merges.addArray().add(merge.left()).add(merge.right()));
            copied.set("merges", merges);
        }
        return copy.toString();
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(path, problem, "take the tokenizer.json that came with the model");
    }
}
