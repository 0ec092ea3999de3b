package dev.demitasse.infer;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The residual stream of a sequence's tokens on its way through the layers. Halfway through a layer whose feed-forward
 * block reads what entered the layer, it holds the block's input too.
 */
public final class ResidualStream {
    private final float[] hidden;
    private final int tokens;
    private final boolean[] attended;
    private float @Nullable [] feedForwardInput;

    private ResidualStream(float[] hidden, int tokens, boolean[] attended) {
        this.hidden = hidden;
        this.tokens = tokens;
        this.attended = attended;
    }

    /**
     * A stream of {@code tokens} tokens, none of them padding.
     *
     * @param hidden {@code [tokens, hiddenSize]}; layers overwrite it
     */
    public static ResidualStream of(float[] hidden, int tokens) {
        return new ResidualStream(hidden, tokens, new boolean[0]);
    }

    /** A stream of which tokens that are not {@code attended} are padding that none sees. */
    static ResidualStream of(float[] hidden, boolean[] attended) {
        return new ResidualStream(hidden, attended.length, attended);
    }

    /** {@code [tokens, hiddenSize]}; to write to it is to change the stream. */
    public float[] hidden() {
        return hidden;
    }

    public int tokens() {
        return tokens;
    }

    /** What the layer's feed-forward block is to read, {@code [tokens, hiddenSize]}, where attention has left it. */
    public Optional<float[]> kept() {
        return Optional.ofNullable(feedForwardInput);
    }

    /** A stream of {@code tokens} tokens, none of them padding, halfway through a layer if something was {@link #kept}. */
    public static ResidualStream of(float[] hidden, int tokens, Optional<float[]> kept) {
        ResidualStream stream = of(hidden, tokens);
        kept.ifPresent(stream::keepFeedForwardInput);
        return stream;
    }

    /** Which tokens may be seen, {@code [tokens]}; empty if all. */
    boolean[] attended() {
        return attended;
    }

    /** Another stream in the same state. */
    public ResidualStream copy() {
        ResidualStream copy = new ResidualStream(hidden.clone(), tokens, attended);
        copy.feedForwardInput = feedForwardInput;
        return copy;
    }

    /** Keeps what the layer's feed-forward block is to read, {@code [tokens, hiddenSize]}, until it does. */
    void keepFeedForwardInput(float[] input) {
        feedForwardInput = input;
    }

    /** What was kept, or null. */
    float @Nullable [] feedForwardInput() {
        return feedForwardInput;
    }

    /** The feed-forward block has read its input. */
    void endLayer() {
        feedForwardInput = null;
    }
}
