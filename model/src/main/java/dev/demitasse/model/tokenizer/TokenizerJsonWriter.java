package dev.demitasse.model.tokenizer;

import static dev.demitasse.model.tokenizer.TokenizerJson.CONTINUATION;
import static dev.demitasse.model.tokenizer.TokenizerJson.SPACE;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.tokenizer.TokenizerData.Kind;
import dev.demitasse.model.tokenizer.TokenizerData.Merge;
import dev.demitasse.model.tokenizer.TokenizerData.Normalization;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/** Writes the tokenizer.json (github.com/huggingface/tokenizers) that does what a {@link TokenizerData} says. */
final class TokenizerJsonWriter {
    /** BERT's: a longer word is unknown as a whole. */
    private static final int LONGEST_WORD = 100;

    private TokenizerJsonWriter() {}

    static String write(TokenizerData data) {
        ObjectNode root = JsonNodeFactory.instance.objectNode().put("version", "1.0");
        root.putNull("truncation").putNull("padding");
        addedTokens(root.putArray("added_tokens"), data);
        switch (data.kind()) {
            case SENTENCE_PIECE, UNIGRAM -> writeSpaced(root, data);
            case BYTE_LEVEL -> writeByteLevel(root, data);
            case WORD_PIECE -> writeWordPiece(root, data);
        }
        root.set("post_processor", template(data));
        root.set(
                "model",
                switch (data.kind()) {
                    case SENTENCE_PIECE, BYTE_LEVEL -> merging(data);
                    case UNIGRAM -> unigram(data);
                    case WORD_PIECE -> wordPiece(data);
                });
        return root.toString();
    }

    /** Tokens that are cut out of a text before anything else happens to it. */
    private static void addedTokens(ArrayNode added, TokenizerData data) {
        Set<String> seen = new HashSet<>();
        for (int id = 0; id < data.tokens().size(); id++) {
            TokenType type = data.types().get(id);
            String token = data.tokens().get(id);
            boolean special = type == TokenType.CONTROL || type == TokenType.UNKNOWN;
            if ((special || type == TokenType.USER_DEFINED) && !token.isEmpty() && seen.add(token)) {
                added.addObject()
                        .put("id", id)
                        .put("content", token)
                        .put("single_word", false)
                        .put("lstrip", false)
                        .put("rstrip", false)
                        .put("normalized", false)
                        .put("special", special);
            }
        }
    }

    /** Text whose spaces become ▁: cut by the model alone. */
    private static void writeSpaced(ObjectNode root, TokenizerData data) {
        Normalization normalization = data.normalization();
        ObjectNode normalizer = root.putObject("normalizer").put("type", "Sequence");
        ArrayNode normalizers = normalizer.putArray("normalizers");
        if (!normalization.charsmap().isEmpty()) {
            normalizers.addObject().put("type", "Precompiled").put("precompiled_charsmap", normalization.charsmap());
        }
        if (normalization.mergeSpaces()) {
            normalizers.addObject().put("type", "Strip").put("strip_left", true).put("strip_right", true);
            ObjectNode runs = normalizers.addObject().put("type", "Replace");
            runs.putObject("pattern").put("Regex", " {2,}");
            runs.put("content", " ");
        }
        if (normalization.spacePrefix()) {
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
        if (normalization.spacePrefix()) {
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
        if (pre.composes()) {
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

    private static void writeWordPiece(ObjectNode root, TokenizerData data) {
        root.putObject("normalizer")
                .put("type", "BertNormalizer")
                .put("clean_text", true)
                .put("handle_chinese_chars", true)
                .put("strip_accents", data.normalization().stripAccents())
                .put("lowercase", data.normalization().lowercase());
        root.putObject("pre_tokenizer").put("type", "BertPreTokenizer");
        root.putObject("decoder")
                .put("type", "WordPiece")
                .put("prefix", CONTINUATION)
                .put("cleanup", true);
    }

    private static ObjectNode merging(TokenizerData data) {
        boolean bytes = data.types().contains(TokenType.BYTE);
        ObjectNode model = JsonNodeFactory.instance.objectNode().put("type", "BPE");
        model.putNull("dropout");
        unknown(model, data);
        model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
        model.put("fuse_unk", data.kind() == Kind.SENTENCE_PIECE);
        model.put("byte_fallback", bytes);
        model.put(
                "ignore_merges",
                data.preTokenizer().map(PreTokenizer::wholeWords).orElse(false));
        ObjectNode vocabulary = vocabulary(model, data);
        ArrayNode merges = model.putArray("merges");
        for (Merge merge : data.merges()) {
            if (vocabulary.has(merge.left()) && vocabulary.has(merge.right()) && vocabulary.has(merge.result())) {
                merges.addArray().add(merge.left()).add(merge.right());
            }
        }
        return model;
    }

    private static ObjectNode wordPiece(TokenizerData data) {
        ObjectNode model = JsonNodeFactory.instance.objectNode().put("type", "WordPiece");
        unknown(model, data);
        model.put("continuing_subword_prefix", CONTINUATION).put("max_input_chars_per_word", LONGEST_WORD);
        vocabulary(model, data);
        return model;
    }

    private static void unknown(ObjectNode model, TokenizerData data) {
        if (data.unknown().isPresent()) {
            model.put("unk_token", data.tokens().get(data.unknown().getAsInt()));
        } else {
            model.putNull("unk_token");
        }
    }

    private static ObjectNode vocabulary(ObjectNode model, TokenizerData data) {
        ObjectNode vocabulary = model.putObject("vocab");
        for (int id = 0; id < data.tokens().size(); id++) {
            String token = data.tokens().get(id);
            if (!vocabulary.has(token)) {
                vocabulary.put(token, id);
            }
        }
        return vocabulary;
    }

    /** The library makes unknown ones score 10 less than the lowest of all: tokens nobody uses must not lower that. */
    private static ObjectNode unigram(TokenizerData data) {
        ObjectNode model = JsonNodeFactory.instance.objectNode().put("type", "Unigram");
        if (data.unknown().isPresent()) {
            model.put("unk_id", data.unknown().getAsInt());
        } else {
            model.putNull("unk_id");
        }
        model.put("byte_fallback", data.types().contains(TokenType.BYTE));
        double lowest = 0;
        for (int id = 0; id < data.tokens().size(); id++) {
            if (data.types().get(id) == TokenType.NORMAL) {
                lowest = Math.min(lowest, data.scores().get(id));
            }
        }
        ArrayNode vocabulary = model.putArray("vocab");
        for (int id = 0; id < data.tokens().size(); id++) {
            double score = data.types().get(id) == TokenType.USER_DEFINED
                    ? 0
                    : data.scores().get(id);
            vocabulary.addArray().add(data.tokens().get(id)).add(Math.max(lowest, score));
        }
        return model;
    }
}
