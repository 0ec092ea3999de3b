package dev.demitasse.model;

/**
 * The feed-forward block: down(activation(gate(x)) · up(x)).
 *
 * @param intermediateSize number of neurons
 * @param activation applied to the gate
 * @param bias whether gate, up and down add biases
 */
public record FeedForward(int intermediateSize, Activation activation, boolean bias) {
    /** Element-wise non-linearities. */
    public enum Activation {
        /** x · sigmoid(x), also called swish. */
        SILU
    }

    public FeedForward {
        if (intermediateSize < 1) {
            throw new IllegalArgumentException("intermediate_size " + intermediateSize);
        }
    }

    public FeedForward withIntermediateSize(int size) {
        return new FeedForward(size, activation, bias);
    }

    public FeedForward withBias(boolean other) {
        return new FeedForward(intermediateSize, activation, other);
    }
}
