package dev.demitasse.model;

/**
 * What one layer is made of.
 *
 * @param attention its self-attention
 * @param feedForward its feed-forward block
 * @param positions how positions enter its attention
 */
public record Block(Attention attention, FeedForward feedForward, Positions positions) {
    public Block {
        if (positions instanceof Positions.Rotary rotary && rotary.dimensions() > attention.headDimension()) {
            throw new IllegalArgumentException(
                    "%d rotary dimensions in heads of %d".formatted(rotary.dimensions(), attention.headDimension()));
        }
    }

    public Block withAttention(Attention other) {
        return new Block(other, feedForward, positions);
    }

    public Block withFeedForward(FeedForward other) {
        return new Block(attention, other, positions);
    }

    public Block withPositions(Positions other) {
        return new Block(attention, feedForward, other);
    }
}
