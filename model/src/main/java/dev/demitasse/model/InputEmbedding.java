package dev.demitasse.model;

/**
 * How tokens become the residual stream: rows of the embedding, times {@code scale}, projected to the residual stream's
 * width if {@code width} differs from it ({@link Role#PROJECT_IN}), plus rows by position and by segment, normalized.
 *
 * @param width columns of the embedding
 * @param scale multiplies its rows (√hidden_size in Gemma)
 * @param positions rows of the table of learned positions, those before {@code positionOffset} included; 0 for none
 * @param positionOffset which row belongs to position 0 (2 in OPT and RoBERTa)
 * @param tokenTypes rows of the table of segments; 0 for none
 * @param norm whether {@link Role#EMBEDDING_NORM} follows (BLOOM, BERT)
 */
public record InputEmbedding(int width, double scale, int positions, int positionOffset, int tokenTypes, boolean norm) {
    public InputEmbedding {
        if (width < 1
                || !(scale > 0)
                || Double.isInfinite(scale)
                || positions < 0
                || positionOffset < 0
                || tokenTypes < 0
                || positions > 0 && positionOffset >= positions) {
            throw new IllegalArgumentException("embedding of %d columns, scale %s, %d positions from %d, %d token types"
                    .formatted(width, scale, positions, positionOffset, tokenTypes));
        }
    }

    /** Rows of the embedding as they are. */
    public static InputEmbedding plain(int width) {
        return new InputEmbedding(width, 1, 0, 0, 0, false);
    }

    public InputEmbedding withWidth(int other) {
        return new InputEmbedding(other, scale, positions, positionOffset, tokenTypes, norm);
    }

    public InputEmbedding withScale(double other) {
        return new InputEmbedding(width, other, positions, positionOffset, tokenTypes, norm);
    }

    /** With a learned table of {@code rows} rows, position 0 in row {@code offset}. */
    public InputEmbedding withPositions(int rows, int offset) {
        return new InputEmbedding(width, scale, rows, offset, tokenTypes, norm);
    }

    public InputEmbedding withTokenTypes(int count) {
        return new InputEmbedding(width, scale, positions, positionOffset, count, norm);
    }

    public InputEmbedding withNorm(boolean other) {
        return new InputEmbedding(width, scale, positions, positionOffset, tokenTypes, other);
    }
}
