package dev.demitasse.infer.generate;

import dev.demitasse.model.InvalidRequestException;

/**
 * How the next token is drawn. The filters apply in this order: the {@code topK} most likely, the temperature, the fewest
 * most likely that together have probability {@code topP}.
 *
 * @param temperature logits are divided by it; 0 takes the most likely token always
 * @param topK how many of the most likely tokens are left; 0 for all
 * @param topP probability that those left have together; 1 for all
 * @param seed of the random numbers; the same seed draws the same text
 */
public record SamplingOptions(double temperature, int topK, double topP, long seed) {
    /** The most likely token, always. */
    public static final SamplingOptions GREEDY = new SamplingOptions(0, 0, 1, 0);

    public SamplingOptions {
        if (!(temperature >= 0) || temperature == Double.POSITIVE_INFINITY) {
            throw new InvalidRequestException("temperature", "is " + temperature, "give 0 or more");
        }
        if (topK < 0) {
            throw new InvalidRequestException("top-k", "is " + topK, "give 0 for no limit, or more");
        }
        if (!(topP > 0 && topP <= 1)) {
            throw new InvalidRequestException("top-p", "is " + topP, "give more than 0 and at most 1");
        }
    }
}
