package dev.demitasse.infer.evaluate;

/**
 * A model's prediction after one token beside a reference's.
 *
 * @param divergence KL(reference ‖ model) in nats, or what is estimated of it
 * @param logProbability that the reference gives the right token
 * @param agrees whether both hold the same token most likely
 * @param tail what the estimate lacks
 */
record Comparison(double divergence, double logProbability, boolean agrees, Tail tail) {
    /**
     * The part of a prediction of which only draws are known.
     *
     * @param share of the probability
     * @param lowest what the divergence is at least
     * @param variance of the estimate over other draws
     */
    record Tail(double share, double lowest, double variance) {}

    /** Of predictions known to the last logit. */
    static Comparison exact(double divergence, double logProbability, boolean agrees) {
        return new Comparison(divergence, logProbability, agrees, new Tail(0, divergence, 0));
    }
}
