package dev.demitasse.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a tokenizer consists of, apart from how a file spells it: tokenizer.json, tokenizer.model and GGUF metadata are
 * all read into this; tokenizer.json and GGUF metadata are written from it.
 *
 * @param kind how it works
 * @param tokens by id, without gaps; of WordPiece as vocab.txt has them, continuations with {@code ##}
 * @param types by id
 * @param scores by id: of two possible merges the one whose result scores higher is made; of unigram a token's
 *     log-probability; empty for byte-level BPE and WordPiece
 * @param merges in the order they are tried; empty but for BPE
 * @param preTokenizer how text is cut beforehand; of byte-level BPE, empty where no name of GGUF's fits
 * @param normalization what is done to a text first
 * @param unknown stands for what has no token
 * @param begin is put before every text
 * @param end is put after every text
 * @param omissions what the tokenizer also does and nothing here says; each completes "the tokenizer …"
 */
public record TokenizerData(
        Kind kind,
        List<String> tokens,
        List<TokenType> types,
        List<Double> scores,
        List<Merge> merges,
        Optional<PreTokenizer> preTokenizer,
        Normalization normalization,
        OptionalInt unknown,
        OptionalInt begin,
        OptionalInt end,
        List<String> omissions) {
    /** The kinds of tokenizer that Demitasse can carry over to other files. */
    public enum Kind {
        /** Merges characters, spaces written ▁, unknown ones as bytes: Llama 1 and 2, Mistral; GGUF's {@code llama}. */
        SENTENCE_PIECE,
        /** Merges bytes, each written as a printable character: GPT-2, Llama 3, Qwen; GGUF's {@code gpt2}. */
        BYTE_LEVEL,
        /** Takes the likeliest cut of the text, spaces written ▁: T5, XLM-R; GGUF's {@code t5}. */
        UNIGRAM,
        /** Takes the longest token at the start of what is left of a word, again and again: BERT; GGUF's {@code bert}. */
        WORD_PIECE;

        /** Whether each token has a score. */
        public boolean scored() {
            return this == SENTENCE_PIECE || this == UNIGRAM;
        }
    }

    /** What a token is for, in GGUF's and SentencePiece's order: {@link #ggufId}. */
    public enum TokenType {
        NORMAL,
        UNKNOWN,
        CONTROL,
        USER_DEFINED,
        UNUSED,
        BYTE;

        /** Its number in {@code tokenizer.ggml.token_type}. */
        public int ggufId() {
            return ordinal() + 1;
        }
    }

    /** Two neighbours that become one token. */
    public record Merge(String left, String right) {
        public String result() {
            return left + right;
        }
    }

    /**
     * What is done to a text before it is cut.
     *
     * @param spacePrefix whether it is read as if a space stood before it
     * @param mergeSpaces whether spaces around it are dropped and runs of them within it are one
     * @param charsmap SentencePiece's compiled table of replacements, in Base64; empty for none
     * @param lowercase whether it is put into lower case
     * @param stripAccents whether accents are taken off its letters
     */
    public record Normalization(
            boolean spacePrefix, boolean mergeSpaces, String charsmap, boolean lowercase, boolean stripAccents) {
        /** Nothing. */
        public static final Normalization NONE = new Normalization(false, false, "", false, false);

        /** A space is thought before the text, or not. */
        public static Normalization spaces(boolean prefix) {
            return new Normalization(prefix, false, "", false, false);
        }
    }

    public TokenizerData {
        tokens = List.copyOf(tokens);
        types = List.copyOf(types);
        scores = List.copyOf(scores);
        merges = List.copyOf(merges);
        omissions = List.copyOf(omissions);
        if (types.size() != tokens.size()
                || kind.scored() && scores.size() != tokens.size()
                || !inside(unknown, tokens)
                || !inside(begin, tokens)
                || !inside(end, tokens)) {
            throw new IllegalArgumentException("%d tokens, %d types, %d scores, unknown %s, begin %s, end %s"
                    .formatted(tokens.size(), types.size(), scores.size(), unknown, begin, end));
        }
    }

    private static boolean inside(OptionalInt id, List<String> tokens) {
        return id.isEmpty() || id.getAsInt() >= 0 && id.getAsInt() < tokens.size();
    }

    /**
     * Reads a tokenizer.json.
     *
     * @throws dev.demitasse.model.InvalidRequestException if it is of a kind that is none of {@link Kind}
     */
    static TokenizerData ofJson(Path path, JsonNode root) {
        return new TokenizerJson(path, root).read();
    }

    /** The text of a tokenizer.json that does the same. */
    public String toJson() {
        return TokenizerJsonWriter.write(this);
    }

    /** The same with other tokens around a text. */
    TokenizerData withEnds(OptionalInt newBegin, OptionalInt newEnd) {
        return new TokenizerData(
                kind, tokens, types, scores, merges, preTokenizer, normalization, unknown, newBegin, newEnd, omissions);
    }

    /** The same with other tokens and types, as many as before or more; new ones score as the lowest does. */
    TokenizerData withTokens(List<String> newTokens, List<TokenType> newTypes) {
        List<Double> newScores = scores;
        if (kind.scored()) {
            double lowest = scores.stream().mapToDouble(score -> score).min().orElse(0);
            newScores = new ArrayList<>(scores);
            while (newScores.size() < newTokens.size()) {
                newScores.add(lowest);
            }
        }
        return new TokenizerData(
                kind,
                newTokens,
                newTypes,
                newScores,
                merges,
                preTokenizer,
                normalization,
                unknown,
                begin,
                end,
                omissions);
    }
}
