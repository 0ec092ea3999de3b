package dev.demitasse.model;

import java.util.Optional;

/**
 * A layer's feed-forward block: down(activation(gate(x)) · up(x)) if gated (Shazeer, arXiv:2002.05202), else
 * down(activation(up(x))); or several such blocks, of which a router picks some for each token.
 *
 * @param intermediateSize number of neurons, of one expert where there are several
 * @param activation applied to the gate, or to up where there is none
 * @param gated whether there is a gate
 * @param bias whether gate, up and down add biases; experts never do
 * @param experts if a router picks among several
 */
public record FeedForward(
        int intermediateSize, Activation activation, boolean gated, boolean bias, Optional<Experts> experts) {
    /** Element-wise non-linearities. */
    public enum Activation {
        /** x · sigmoid(x), also called swish. */
        SILU,
        /** x · Φ(x), Φ the normal distribution (Hendrycks and Gimpel, arXiv:1606.08415). */
        GELU,
        /** x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))): GELU nearly; called gelu_new, gelu_pytorch_tanh, gelu_fast. */
        GELU_TANH,
        /** max(x, 0). */
        RELU
    }

    public FeedForward {
        if (intermediateSize < 1) {
            throw new IllegalArgumentException("intermediate_size " + intermediateSize);
        }
        if (experts.isPresent() && (bias || !gated)) {
            throw new IllegalArgumentException("experts are gated and without biases");
        }
    }

    /** Gated, without experts. */
    public FeedForward(int intermediateSize, Activation activation, boolean bias) {
        this(intermediateSize, activation, true, bias, Optional.empty());
    }

    /** down(activation(up(x))), with biases or without. */
    public static FeedForward plain(int intermediateSize, Activation activation, boolean bias) {
        return new FeedForward(intermediateSize, activation, false, bias, Optional.empty());
    }

    /** down(activation(gate(x)) · up(x)), without biases. */
    public static FeedForward gated(int intermediateSize, Activation activation) {
        return new FeedForward(intermediateSize, activation, true, false, Optional.empty());
    }

    /** Gated experts of {@code intermediateSize} neurons each. */
    public static FeedForward experts(int intermediateSize, Activation activation, Experts experts) {
        return new FeedForward(intermediateSize, activation, true, false, Optional.of(experts));
    }

    public FeedForward withIntermediateSize(int size) {
        return new FeedForward(size, activation, gated, bias, experts);
    }

    public FeedForward withBias(boolean other) {
        return new FeedForward(intermediateSize, activation, gated, other, experts);
    }
}
