package dev.demitasse.model;

import java.util.Set;

/**
 * The shape of self-attention: multi-head where both head counts are equal, grouped-query where they differ.
 *
 * @param heads number of query heads
 * @param keyValueHeads number of key/value heads; divides {@code heads}
 * @param headDimension width of one head; {@code heads · headDimension} need not equal hidden_size
 * @param biases which of q, k, v and output projections add a bias
 * @param slidingWindow how many keys a query sees at most, itself included; {@link #FULL} for all before it
 */
public record Attention(int heads, int keyValueHeads, int headDimension, Set<Role> biases, int slidingWindow) {
    public static final int FULL = Integer.MAX_VALUE;

    public Attention {
        biases = Set.copyOf(biases);
        if (heads < 1 || keyValueHeads < 1 || headDimension < 1 || slidingWindow < 1 || heads % keyValueHeads != 0) {
            throw new IllegalArgumentException("heads %d, key/value heads %d, head dimension %d, window %d"
                    .formatted(heads, keyValueHeads, headDimension, slidingWindow));
        }
        Math.multiplyExact(heads, headDimension);
    }

    /** Width of all query heads together: columns of the output projection. */
    public int queryWidth() {
        return Math.multiplyExact(heads, headDimension);
    }

    /** Width of all key (or value) heads together. */
    public int keyValueWidth() {
        return Math.multiplyExact(keyValueHeads, headDimension);
    }

    /** Query heads that share one key/value head. */
    public int groupSize() {
        return heads / keyValueHeads;
    }

    public Attention withHeads(int heads, int keyValueHeads) {
        return new Attention(heads, keyValueHeads, headDimension, biases, slidingWindow);
    }

    public Attention withBiases(Set<Role> roles) {
        return new Attention(heads, keyValueHeads, headDimension, roles, slidingWindow);
    }
}
