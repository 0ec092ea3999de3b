package dev.demitasse.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a BPE tokenizer consists of, apart from how a file spells it: tokenizer.json and GGUF metadata are both read into
 * this and written from it.
 *
 * @param kind which of the two ways it works
 * @param tokens by id, without gaps
 * @param types by id
 * @param scores by id: of two possible merges the one whose result scores higher is made; empty for byte-level BPE
 * @param merges in the order they are tried
 * @param preTokenizer how text is cut beforehand; of byte-level BPE, empty where no name of GGUF's fits
 * @param spacePrefix whether text is read as if a space stood before it
 * @param unknown stands for what has no token
 * @param begin is put before every text
 * @param end is put after every text
 */
public record TokenizerData(
        Kind kind,
        List<String> tokens,
        List<TokenType> types,
        List<Double> scores,
        List<Merge> merges,
        Optional<PreTokenizer> preTokenizer,
        boolean spacePrefix,
        OptionalInt unknown,
        OptionalInt begin,
        OptionalInt end) {
    /** The two kinds of BPE that Demitasse can carry over to GGUF. */
    public enum Kind {
        /** Merges characters, spaces written ▁, unknown ones as bytes: Llama 1 and 2, Mistral; GGUF's {@code llama}. */
        SENTENCE_PIECE,
        /** Merges bytes, each written as a printable character: GPT-2, Llama 3, Qwen; GGUF's {@code gpt2}. */
        BYTE_LEVEL
    }

    /** What a token is for, in GGUF's order: {@link #ggufId}. */
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

    public TokenizerData {
        tokens = List.copyOf(tokens);
        types = List.copyOf(types);
        scores = List.copyOf(scores);
        merges = List.copyOf(merges);
        if (types.size() != tokens.size()
                || kind == Kind.SENTENCE_PIECE && scores.size() != tokens.size()
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
     * @throws dev.demitasse.model.InvalidRequestException if it is of another kind than BPE
     */
    static TokenizerData ofJson(Path path, JsonNode root) {
        return new TokenizerJson(path, root).read();
    }

    /** The text of a tokenizer.json that does the same. */
    public String toJson() {
        return TokenizerJsonWriter.write(this);
    }
}
