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
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;

/** The layout of tokenizer.json (github.com/huggingface/tokenizers), of BPE models. */
final class TokenizerJson {
    private static final String SPACE = "▁";
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

    static String write(TokenizerData data) {
        ObjectNode root = JsonNodeFactory.instance.objectNode().put("version", "1.0");
        root.putNull("truncation").putNull("padding");
        ArrayNode added = root.putArray("added_tokens");
        Set<String> seen = new HashSet<>();
        for (int id = 0; id < data.tokens().size(); id++) {
            TokenType type = data.types().get(id);
            boolean special = type == TokenType.CONTROL || type == TokenType.UNKNOWN;
            if ((special || type == TokenType.USER_DEFINED)
                    && !data.tokens().get(id).isEmpty()
                    && seen.add(data.tokens().get(id))) {
                added.addObject()
                        .put("id", id)
                        .put("content", data.tokens().get(id))
                        .put("single_word", false)
                        .put("lstrip", false)
                        .put("rstrip", false)
                        .put("normalized", false)
                        .put("special", special);
            }
        }
        switch (data.kind()) {
            case SENTENCE_PIECE -> writeSentencePiece(root, data);
            case BYTE_LEVEL -> writeByteLevel(root, data);
        }
        root.set("post_processor", template(data));
        root.set("model", model(data));
        return root.toString();
    }

    private static void writeSentencePiece(ObjectNode root, TokenizerData data) {
        ObjectNode normalizer = root.putObject("normalizer").put("type", "Sequence");
        ArrayNode normalizers = normalizer.putArray("normalizers");
        if (data.spacePrefix()) {
            normalizers.addObject().put("type", "Prepend").put("prepend", SPACE);
        }
        replace(normalizers, " ", SPACE);
        root.putNull("pre_tokenizer");
        ArrayNode decoders = root.putObject("decoder").put("type", "Sequence").putArray("decoders");
        replace(decoders, SPACE, " ");
        if (data.types().contains(TokenType.BYTE)) {
            decoders.addObject().put("type", "ByteFallback");
        }
        decoders.addObject().put("type", "Fuse");
        if (data.spacePrefix()) {
            decoders.addObject()
                    .put("type", "Strip")
                    .put("content", " ")
                    .put("start", 1)
                    .put("stop", 0);
        }
    }

    private static void replace(ArrayNode steps, String from, String to) {
        ObjectNode step = steps.addObject().put("type", "Replace");
        step.putObject("pattern").put("String", from);
        step.put("content", to);
    }

    private static void writeByteLevel(ObjectNode root, TokenizerData data) {
        root.putNull("normalizer");
        PreTokenizer pre =
                data.preTokenizer().orElseThrow(() -> new IllegalArgumentException("a pre-tokenizer without a name"));
        if (pre == PreTokenizer.QWEN2) {
            root.putObject("normalizer").put("type", "NFC");
        }
        root.set("pre_tokenizer", pre.json());
        root.putObject("decoder")
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", false);
    }

    private static JsonNode template(TokenizerData data) {
        if (data.begin().isEmpty() && data.end().isEmpty()) {
            return JsonNodeFactory.instance.nullNode();
        }
        ObjectNode template = JsonNodeFactory.instance.objectNode().put("type", "TemplateProcessing");
        ArrayNode single = template.putArray("single");
        ArrayNode pair = template.putArray("pair");
        ObjectNode special = template.putObject("special_tokens");
        for (String sequence : List.of("A", "B")) {
            List<ArrayNode> targets = sequence.equals("A") ? List.of(single, pair) : List.of(pair);
            for (ArrayNode target : targets) {
                data.begin()
                        .ifPresent(
                                id -> add(target, "SpecialToken", data.tokens().get(id)));
                add(target, "Sequence", sequence);
                data.end()
                        .ifPresent(
                                id -> add(target, "SpecialToken", data.tokens().get(id)));
            }
        }
        for (OptionalInt id : List.of(data.begin(), data.end())) {
            if (id.isPresent()) {
                String token = data.tokens().get(id.getAsInt());
                ObjectNode entry = special.putObject(token).put("id", token);
                entry.putArray("ids").add(id.getAsInt());
                entry.putArray("tokens").add(token);
            }
        }
        return template;
    }

    private static void add(ArrayNode template, String kind, String id) {
        template.addObject().putObject(kind).put("id", id).put("type_id", 0);
    }

    private static ObjectNode model(TokenizerData data) {
        boolean bytes = data.types().contains(TokenType.BYTE);
        ObjectNode model = JsonNodeFactory.instance.objectNode().put("type", "BPE");
        model.putNull("dropout");
        if (data.unknown().isPresent()) {
            model.put("unk_token", data.tokens().get(data.unknown().getAsInt()));
        } else {
            model.putNull("unk_token");
        }
        model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
        model.put("fuse_unk", data.kind() == Kind.SENTENCE_PIECE);
        model.put("byte_fallback", bytes);
        model.put(
                "ignore_merges",
                data.preTokenizer().map(PreTokenizer::wholeWords).orElse(false));
        ObjectNode vocabulary = model.putObject("vocab");
        for (int id = 0; id < data.tokens().size(); id++) {
            String token = data.tokens().get(id);
            if (!vocabulary.has(token)) {
                vocabulary.put(token, id);
            }
        }
        ArrayNode merges = model.putArray("merges");
        for (Merge merge : data.merges()) {
            if (vocabulary.has(merge.left()) && vocabulary.has(merge.right()) && vocabulary.has(merge.result())) {
                merges.addArray().add(merge.left()).add(merge.right());
            }
        }
        return model;
    }
}
