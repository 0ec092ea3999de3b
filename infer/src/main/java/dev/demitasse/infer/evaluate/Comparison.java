package dev.demitasse.infer.evaluate;

/**
 * A model's prediction after one token beside a reference's.
 *
 * @param divergence KL(reference ‖ model) in nats
 * @param logProbability that the reference gives the right token
 * @param agrees whether both hold the same token most likely
 */
record Comparison(double divergence, double logProbability, boolean agrees) {}
