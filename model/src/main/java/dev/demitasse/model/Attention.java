package dev.demitasse.model;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;

/**
 * The shape of a layer's self-attention: multi-head where both head counts are equal, grouped-query where they differ,
 * multi-query where one key/value head serves all.
 *
 * @param heads number of query heads
 * @param keyValueHeads number of key/value heads; divides {@code heads}
 * @param headDimension width of one head; {@code heads · headDimension} need not equal hidden_size
 * @param biases which of q, k, v and output projections add a bias
 * @param slidingWindow how many keys a query sees at most, itself included; {@link #FULL} for all before it
 * @param scale multiplies the products of queries and keys; 1/√headDimension in most models
 * @param softCap c of c · tanh(score / c), which bounds scores (Gemma 2)
 * @param clip the bound to which the outputs of q, k and v are cut, −clip to clip (OLMo, MPT); after the norm of queries
 *     and keys where there is one (OLMoE)
 * @param queryKeyNorm norm of queries and keys
 */
public record Attention(
        int heads,
        int keyValueHeads,
        int headDimension,
        Set<Role> biases,
        int slidingWindow,
        double scale,
        OptionalDouble softCap,
        OptionalDouble clip,
        Optional<QueryKeyNorm> queryKeyNorm) {
    public static final int FULL = Integer.MAX_VALUE;
    /** The projections that {@link #biases} is about. */
    public static final Set<Role> PROJECTIONS = Set.of(Role.QUERY, Role.KEY, Role.VALUE, Role.ATTENTION_OUTPUT);

    public Attention {
        // In the order of roles, so that what prints and compares it does so alike in every run. (JDK 25.0.3 was seen
        // to
        // compile the comparison of two Set.of, whose order is another in each, so that equal sets differed once.)
        biases = biases.isEmpty() ? Set.of() : Collections.unmodifiableSet(EnumSet.copyOf(biases));
        if (heads < 1 || keyValueHeads < 1 || headDimension < 1 || slidingWindow < 1 || heads % keyValueHeads != 0) {
            throw new IllegalArgumentException("heads %d, key/value heads %d, head dimension %d, window %d"
                    .formatted(heads, keyValueHeads, headDimension, slidingWindow));
        }
        if (!positive(scale)
                || !softCap.stream().allMatch(Attention::positive)
                || !clip.stream().allMatch(Attention::positive)) {
            throw new IllegalArgumentException(
                    "attention scale %s, soft cap %s, clip %s".formatted(scale, softCap, clip));
        }
        Math.multiplyExact(heads, headDimension);
    }

    /** Without soft cap, clipping or norms, and with the usual scale. */
    public Attention(int heads, int keyValueHeads, int headDimension, Set<Role> biases, int slidingWindow) {
        this(
                heads,
                keyValueHeads,
                headDimension,
                biases,
                slidingWindow,
                usualScale(headDimension),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                Optional.empty());
    }

    /** Plain attention: no biases, every token sees all before it. */
    public static Attention of(int heads, int keyValueHeads, int headDimension) {
        return new Attention(heads, keyValueHeads, headDimension, Set.of(), FULL);
    }

    /** 1/√headDimension (Vaswani et al., arXiv:1706.03762, eq. 1). */
    public static double usualScale(int headDimension) {
        return 1 / Math.sqrt(headDimension);
    }

    private static boolean positive(double value) {
        return value > 0 && !Double.isInfinite(value);
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
        return new Attention(
                heads, keyValueHeads, headDimension, biases, slidingWindow, scale, softCap, clip, queryKeyNorm);
    }

    public Attention withBiases(Set<Role> roles) {
        return new Attention(
                heads, keyValueHeads, headDimension, roles, slidingWindow, scale, softCap, clip, queryKeyNorm);
    }

    public Attention withSlidingWindow(int window) {
        return new Attention(heads, keyValueHeads, headDimension, biases, window, scale, softCap, clip, queryKeyNorm);
    }

    public Attention withScale(double other) {
        return new Attention(
                heads, keyValueHeads, headDimension, biases, slidingWindow, other, softCap, clip, queryKeyNorm);
    }

    public Attention withSoftCap(OptionalDouble cap) {
        return new Attention(
                heads, keyValueHeads, headDimension, biases, slidingWindow, scale, cap, clip, queryKeyNorm);
    }

    public Attention withClip(OptionalDouble bound) {
        return new Attention(
                heads, keyValueHeads, headDimension, biases, slidingWindow, scale, softCap, bound, queryKeyNorm);
    }

    public Attention withQueryKeyNorm(Optional<QueryKeyNorm> norm) {
        return new Attention(heads, keyValueHeads, headDimension, biases, slidingWindow, scale, softCap, clip, norm);
    }
}
