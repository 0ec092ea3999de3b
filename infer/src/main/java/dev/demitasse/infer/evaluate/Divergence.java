package dev.demitasse.infer.evaluate;

/**
 * How far a model's predictions are from a reference's on the same tokens: what llama-perplexity's {@code --kl-divergence}
 * tells (llama.cpp, tools/perplexity), by the same definitions, in double.
 *
 * @param kl mean over tokens of the Kullback–Leibler divergence KL(reference ‖ model), in nats
 * @param klSpread how it is spread over the tokens
 * @param top1 share of tokens after which both hold the same continuation most likely
 * @param probability mean over tokens of Δp: the model's probability of the right token less the reference's
 * @param rmsProbability root of the mean of Δp²
 * @param probabilitySpread how Δp is spread over the tokens
 * @param perplexity how the two perplexities compare
 * @param tail what {@code kl} and {@code klSpread} lack where the reference's predictions were kept in part
 */
public record Divergence(
        Estimate kl,
        Spread klSpread,
        Estimate top1,
        Estimate probability,
        Estimate rmsProbability,
        Spread probabilitySpread,
        PerplexityChange perplexity,
        TailError tail) {

    /** {@link #kl}, without its error. */
    public double meanKl() {
        return kl.value();
    }

    /** The KL divergence that 99 % of the tokens do not exceed. */
    public double p99Kl() {
        return klSpread.at(99);
    }

    /** {@link #top1}, without its error. */
    public double top1Agreement() {
        return top1.value();
    }
}
