package dev.demitasse.infer.evaluate;

/**
 * How far a model's predictions are from a reference's on the same tokens.
 *
 * @param meanKl mean over tokens of the Kullback–Leibler divergence KL(reference ‖ model), in nats
 * @param p99Kl the KL divergence that 99 % of the tokens do not exceed
 * @param top1Agreement fraction of tokens for which both hold the same continuation most likely
 */
public record Divergence(double meanKl, double p99Kl, double top1Agreement) {}
