package dev.demitasse.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.model.MalformedModelException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Refuses a tokenizer.json that the native library (Hugging Face tokenizers 0.21) would not survive: where its Rust code
 * panics, be it on reading the file or on the first text, the whole process ends. Each check is named after the panic that
 * it keeps away; what merely makes no sense is left to the library, which says so.
 */
final class LibraryGuard {
    private static final Set<String> NORMALIZERS = Set.of(
            "BertNormalizer",
            "ByteLevel",
            "Lowercase",
            "NFC",
            "NFD",
            "NFKC",
            "NFKD",
            "Nmt",
            "Precompiled",
            "Prepend",
            "Replace",
            "Sequence",
            "Strip",
            "StripAccents");
    private static final Set<String> PRE_TOKENIZERS = Set.of(
            "BertPreTokenizer",
            "ByteLevel",
            "CharDelimiterSplit",
            "Delimiter",
            "Digits",
            "Metaspace",
            "Punctuation",
            "Sequence",
            "Split",
            "UnicodeScripts",
            "Whitespace",
            "WhitespaceSplit");
    private static final Set<String> POST_PROCESSORS =
            Set.of("BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing");
    private static final Set<String> DECODERS = Set.of(
            "BPEDecoder",
            "ByteFallback",
            "ByteLevel",
            "CTC",
            "Fuse",
            "Metaspace",
            "Replace",
            "Sequence",
            "Strip",
            "WordPiece");
    private static final Set<String> MODELS = Set.of("BPE", "Unigram", "WordLevel", "WordPiece");
    private static final int MAXIMUM_DEPTH = 8;

    private final Path path;
    private final JsonNode root;

    private LibraryGuard(Path path, JsonNode root) {
        this.path = path;
        this.root = root;
    }

    /** @throws MalformedModelException if the library might end the process */
    static void check(Path path, JsonNode root) {
        new LibraryGuard(path, root).check();
    }

    private void check() {
        List<JsonNode> normalizers = steps("normalizer", "normalizers", NORMALIZERS);
        normalizers.forEach(this::checkNormalizer);
        for (JsonNode step : steps("pre_tokenizer", "pretokenizers", PRE_TOKENIZERS)) {
            checkPattern(step);
        }
        for (JsonNode step : steps("post_processor", "processors", POST_PROCESSORS)) {
            if (type(step).equals("TemplateProcessing")) {
                checkTemplate(step);
            }
        }
        for (JsonNode step : steps("decoder", "decoders", DECODERS)) {
            checkPattern(step);
            // It counts from the end of tokens that may be shorter.
            if (type(step).equals("Strip") && step.path("stop").asLong() != 0) {
                throw malformed("has a decoder that strips " + shown(step.path("stop")) + " characters from the end");
            }
        }
        checkModel(root.path("model"));
        for (JsonNode token : root.path("added_tokens")) {
            checkAdded(token, normalizers);
        }
    }

    /** The steps of a part that may be one or a sequence, each of a known type: untyped ones are guessed at. */
    private List<JsonNode> steps(String part, String listKey, Set<String> known) {
        List<JsonNode> steps = new ArrayList<>();
        if (!root.path(part).isMissingNode() && !root.path(part).isNull()) {
            collect(root.path(part), part, listKey, known, steps, 0);
        }
        return steps;
    }

    private void collect(
            JsonNode node, String part, String listKey, Set<String> known, List<JsonNode> steps, int depth) {
        if (!known.contains(type(node)) || depth > MAXIMUM_DEPTH) {
            throw malformed("has a %s of the unknown type %s".formatted(part, shown(node.path("type"))));
        }
        if (!type(node).equals("Sequence")) {
            steps.add(node);
            return;
        }
        for (JsonNode step : node.path(listKey)) {
            collect(step, part, listKey, known, steps, depth + 1);
        }
    }

    private static String type(JsonNode node) {
        return node.path("type").asText();
    }

    private void checkNormalizer(JsonNode step) {
        checkPattern(step);
        if (type(step).equals("Precompiled")) {
            CharacterMapGuard.check(path, step.path("precompiled_charsmap"));
        }
    }

    private void checkPattern(JsonNode step) {
        JsonNode expression = step.path("pattern").path("Regex");
        if (!expression.isMissingNode() && !ExpressionGuard.harmless(expression.asText())) {
            throw malformed("has a regular expression that may take for ever: " + shown(expression));
        }
    }

    /** A template for one text that speaks of a second, or of a special token that it does not define. */
    private void checkTemplate(JsonNode template) {
        for (String key : List.of("single", "pair")) {
            for (JsonNode piece : template.path(key)) {
                String sequence = piece.path("Sequence").path("id").asText("A");
                if (key.equals("single") && !sequence.equals("A")) {
                    throw malformed("has a template for one text that puts in text " + sequence);
                }
                JsonNode token = piece.path("SpecialToken").path("id");
                if (!token.isMissingNode() && !template.path("special_tokens").has(token.asText())) {
                    throw malformed("has a template with the special token %s, which it does not define"
                            .formatted(shown(token)));
                }
            }
        }
    }

    private void checkModel(JsonNode model) {
        // BPE files of old say no type.
        String type = model.path("type").asText("BPE");
        if (!model.isObject() || !MODELS.contains(type)) {
            throw malformed("has a model of the unknown type " + shown(model.path("type")));
        }
        JsonNode prefix = model.path("continuing_subword_prefix");
        if (type.equals("BPE") && prefix.isTextual() && !prefix.asText().isEmpty()) {
            for (JsonNode merge : model.path("merges")) {
                String right = merge.isArray()
                        ? merge.path(1).asText()
                        : merge.asText().substring(merge.asText().indexOf(' ') + 1);
                if (!right.startsWith(prefix.asText())) {
                    throw malformed("has the merge %s, whose second part does not begin with the prefix %s"
                            .formatted(shown(merge), shown(prefix)));
                }
            }
        }
    }

    /**
     * An added token that normalisation makes empty would be found everywhere. Letters and digits stay through every step
     * but a replacement of them; a character map keeps them, but perhaps not what is combined with them.
     */
    private void checkAdded(JsonNode token, List<JsonNode> normalizers) {
        String content = token.path("content").asText();
        boolean plain = content.chars().anyMatch(LibraryGuard::plain);
        boolean printable = content.chars().allMatch(c -> c > ' ' && c < 127);
        for (JsonNode step : normalizers) {
            boolean stays = switch (type(step)) {
                case "Replace" ->
                    keepsPlain(step.path("pattern")) && plain
                            || step.path("pattern").has("String")
                                    && !step.path("content").asText().isEmpty();
                case "Precompiled" -> plain && printable;
                case "BertNormalizer", "Nmt", "Strip", "StripAccents" -> plain;
                default -> true;
            };
            if (token.path("normalized").asBoolean(true) && !stays) {
                throw malformed("has the added token %s, which its normalizer may make empty".formatted(shown(token)));
            }
            // What it replaces plain characters by need not be plain.
            plain &= !type(step).equals("Replace") || keepsPlain(step.path("pattern"));
        }
    }

    private static boolean keepsPlain(JsonNode pattern) {
        return pattern.path("String").isTextual()
                && pattern.path("String").asText().chars().noneMatch(LibraryGuard::plain);
    }

    /** Letters and digits that no normaliser but a replacement takes away. */
    private static boolean plain(int character) {
        return character < 128 && Character.isLetterOrDigit(character);
    }

    private static String shown(JsonNode node) {
        String text = node.toString();
        return text.length() > 100 ? text.substring(0, 100) + "…" : text;
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(path, problem, "take the tokenizer.json that came with the model");
    }
}
