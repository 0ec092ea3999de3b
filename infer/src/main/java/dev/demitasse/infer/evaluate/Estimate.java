package dev.demitasse.infer.evaluate;

import org.apache.commons.math3.stat.descriptive.StatisticalSummary;

/**
 * A figure over the tokens of a text, and how far chance may have moved it.
 *
 * @param value what was measured
 * @param standardError what it would scatter by over other texts of this kind and length, tokens taken as independent of
 *     each other; 0 for a single token
 */
public record Estimate(double value, double standardError) {
    /** The mean of what {@code tokens} sums up. */
    static Estimate mean(StatisticalSummary tokens) {
        long count = tokens.getN();
        return new Estimate(tokens.getMean(), count > 1 ? tokens.getStandardDeviation() / Math.sqrt(count) : 0);
    }

    /** The share {@code hits} of {@code tokens}. */
    static Estimate share(long hits, long tokens) {
        double share = (double) hits / tokens;
        return new Estimate(share, tokens > 1 ? Math.sqrt(share * (1 - share) / (tokens - 1)) : 0);
    }

    /** e to this, its error carried along to first order. */
    Estimate exp() {
        double power = Math.exp(value);
        return new Estimate(power, power * standardError);
    }

    /** The square root of this, its error carried along to first order. */
    Estimate root() {
        double root = Math.sqrt(value);
        return new Estimate(root, root == 0 ? 0 : standardError / (2 * root));
    }
}
