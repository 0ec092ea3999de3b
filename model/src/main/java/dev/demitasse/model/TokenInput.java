package dev.demitasse.model;

import java.util.Arrays;
import java.util.Optional;

/**
 * A sequence of tokens with what an encoder wants to know of each.
 *
 * @param ids {@code [T]}
 * @param attended which of them others may see, {@code [T]}: false for padding; without it, all
 * @param tokenTypes the segment of each, {@code [T]}; without it, the first
 */
public record TokenInput(int[] ids, Optional<boolean[]> attended, Optional<int[]> tokenTypes) {
    public TokenInput {
        int length = ids.length;
        if (length == 0
                || attended.isPresent() && attended.get().length != length
                || tokenTypes.isPresent() && tokenTypes.get().length != length) {
            throw new IllegalArgumentException("a sequence of %d tokens with a mask of %d and segments of %d"
                    .formatted(
                            length,
                            attended.map(mask -> mask.length).orElse(length),
                            tokenTypes.map(types -> types.length).orElse(length)));
        }
    }

    /** Tokens that all see each other, in one segment. */
    public static TokenInput of(int[] ids) {
        return new TokenInput(ids, Optional.empty(), Optional.empty());
    }

    /** T. */
    public int length() {
        return ids.length;
    }

    /**
     * Which row of {@link Role#POSITION_EMBEDDING} each token takes, {@code [T]}: {@link InputEmbedding#positionOffset}
     * plus its place. RoBERTa's padding tokens all take the row before the first instead, that of their own id, and are
     * not counted.
     *
     * @throws InvalidRequestException if there are more tokens than rows
     */
    public int[] positionRows(ModelConfig config) {
        InputEmbedding embedding = config.embedding();
        int offset = embedding.positionOffset();
        boolean skipsPadding = !config.causal() && offset > 0;
        int pad = skipsPadding ? config.specialTokens().pad().orElse(-1) : -1;
        int[] rows = new int[ids.length];
        int next = offset;
        for (int i = 0; i < rows.length; i++) {
            rows[i] = skipsPadding && ids[i] == pad ? offset - 1 : next++;
        }
        if (next > embedding.positions()) {
            throw new InvalidRequestException(
                    "token ids",
                    "%,d tokens, but the model has learned %,d positions"
                            .formatted(next - offset, embedding.positions() - offset),
                    "shorten the text");
        }
        return rows;
    }

    /** The segment of each token, {@code [T]}; checked to be one the model knows. */
    public int[] segments(ModelConfig config) {
        int[] types = tokenTypes.orElseGet(() -> new int[ids.length]);
        int known = config.embedding().tokenTypes();
        int highest = Arrays.stream(types).max().orElse(0);
        int lowest = Arrays.stream(types).min().orElse(0);
        if (lowest < 0 || highest >= known) {
            throw new InvalidRequestException(
                    "token types",
                    "segment %d, but the model knows %d".formatted(lowest < 0 ? lowest : highest, known),
                    "number segments from 0");
        }
        return types;
    }
}
