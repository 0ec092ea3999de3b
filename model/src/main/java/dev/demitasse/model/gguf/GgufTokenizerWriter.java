package dev.demitasse.model.gguf;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.tokenizer.Tokenizer;
import dev.demitasse.model.tokenizer.TokenizerData;
import dev.demitasse.model.tokenizer.TokenizerData.Kind;
import dev.demitasse.model.tokenizer.TokenizerData.Normalization;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** Says a tokenizer in GGUF's own keys, those that llama.cpp reads. */
final class GgufTokenizerWriter {
    private final Tokenizer tokenizer;
    private final ModelConfig config;
    private final TokenizerData data;
    private final int padding;
    private final Map<String, Object> values = new LinkedHashMap<>();

    GgufTokenizerWriter(Tokenizer tokenizer, ModelConfig config) {
        this.tokenizer = tokenizer;
        this.config = config;
        this.data = tokenizer.data();
        this.padding = config.vocabularySize() - data.tokens().size();
        if (padding < 0) {
            throw new InvalidRequestException(
                    "tokenizer",
                    "has %,d tokens, the model %,d".formatted(data.tokens().size(), config.vocabularySize()),
                    "take the tokenizer that came with the model");
        }
    }

    GgufTokenizer.Keys write() {
        List<String> cautions = new ArrayList<>();
        switch (data.kind()) {
            case SENTENCE_PIECE -> spaced("llama");
            case UNIGRAM -> spaced("t5");
            case BYTE_LEVEL -> merging();
            case WORD_PIECE -> wordPiece();
        }
        data.omissions()
                .forEach(omission -> cautions.add("llama.cpp will cut text otherwise: the tokenizer " + omission));
        if (!data.normalization().charsmap().isEmpty() && data.kind() == Kind.SENTENCE_PIECE) {
            cautions.add(
                    "llama.cpp will cut text otherwise: the tokenizer replaces characters by SentencePiece's table");
        }
        if (!cautions.isEmpty()) {
            values.put(GgufTokenizer.JSON, tokenizer.json());
        }
        tokens();
        special();
        tokenizer.chatTemplate().ifPresent(template -> values.put(GgufTokenizer.CHAT_TEMPLATE, template.source()));
        return new GgufTokenizer.Keys(values, List.copyOf(cautions));
    }

    private void spaced(String model) {
        Normalization normalization = data.normalization();
        values.put(GgufTokenizer.MODEL, model);
        values.put(GgufTokenizer.PRE, "default");
        List<Float> scores = new ArrayList<>();
        data.scores().forEach(score -> scores.add(score.floatValue()));
        scores.addAll(Collections.nCopies(padding, -1000.0f * config.vocabularySize()));
        values.put(GgufTokenizer.SCORES, scores);
        values.put(GgufTokenizer.SPACE_PREFIX, normalization.spacePrefix());
        if (normalization.mergeSpaces() || data.kind() == Kind.UNIGRAM) {
            values.put(GgufTokenizer.MERGE_SPACES, normalization.mergeSpaces());
        }
        if (data.kind() == Kind.UNIGRAM && !normalization.charsmap().isEmpty()) {
            List<Byte> map = new ArrayList<>();
            for (byte value : Base64.getDecoder().decode(normalization.charsmap())) {
                map.add(value);
            }
            values.put(GgufTokenizer.CHARSMAP, map);
        }
    }

    /** Without a name for how text is cut, none is written: llama.cpp then warns, and cuts by its own default. */
    private void merging() {
        values.put(GgufTokenizer.MODEL, "gpt2");
        data.preTokenizer().ifPresent(pre -> values.put(GgufTokenizer.PRE, pre.ggufName()));
        values.put(
                GgufTokenizer.MERGES,
                data.merges().stream()
                        .map(merge -> merge.left() + " " + merge.right())
                        .toList());
    }

    private void wordPiece() {
        values.put(GgufTokenizer.MODEL, "bert");
        values.put(GgufTokenizer.PRE, "default");
        values.put(GgufTokenizer.LOWERCASE, data.normalization().lowercase());
        values.put(GgufTokenizer.STRIP_ACCENTS, data.normalization().stripAccents());
    }

    private void tokens() {
        List<String> tokens = new ArrayList<>();
        List<Integer> types = new ArrayList<>();
        for (int id = 0; id < data.tokens().size(); id++) {
            String token = data.tokens().get(id);
            tokens.add(
                    data.kind() == Kind.WORD_PIECE ? marked(token, data.types().get(id)) : token);
            types.add(data.types().get(id).ggufId());
        }
        for (int i = 0; i < padding; i++) {
            tokens.add("[PAD" + tokens.size() + "]");
            types.add(TokenType.UNUSED.ggufId());
        }
        values.put(GgufTokenizer.TOKENS, tokens);
        values.put(GgufTokenizer.TYPES, types);
    }

    private static String marked(String token, TokenType type) {
        if (type != TokenType.NORMAL || GgufTokenizerReader.bracketed(token)) {
            return token;
        }
        return token.startsWith("##") ? token.substring(2) : GgufTokenizerReader.WORD_START + token;
    }

    private void special() {
        OptionalInt begin =
                data.begin().isPresent() ? data.begin() : config.specialTokens().bos();
        begin.ifPresent(id -> values.put(GgufTokenizer.BEGIN, id));
        List<Integer> ends = config.specialTokens().eos();
        for (int i = 0; i < Math.min(2, ends.size()); i++) {
            values.put(i == 0 ? GgufTokenizer.END : GgufTokenizer.END_OF_TURN, ends.get(i));
        }
        data.unknown().ifPresent(id -> values.put(GgufTokenizer.UNKNOWN, id));
        config.specialTokens().pad().ifPresent(id -> values.put(GgufTokenizer.PADDING, id));
        values.put(GgufTokenizer.ADD_BEGIN, data.begin().isPresent());
        if (data.kind() == Kind.WORD_PIECE) {
            data.end().ifPresent(id -> values.put(GgufTokenizer.SEPARATOR, id));
            values.put(GgufTokenizer.ADD_SEPARATOR, data.end().isPresent());
        } else {
            data.end().ifPresent(id -> values.put(GgufTokenizer.END, id));
            values.put(GgufTokenizer.ADD_END, data.end().isPresent());
        }
    }
}
