package dev.demitasse.infer.evaluate;

import org.apache.commons.math3.stat.descriptive.StatisticalSummary;

/**
 * A model's perplexity beside a reference's. Both read the same text, and a token that is hard for one is hard for the
 * other; so errors are those of the differences token by token, d = ln p(reference) − ln p(model) of the right token, which
 * are far smaller than the perplexities' own.
 *
 * @param reference the reference's perplexity
 * @param correlation of the two models' log-likelihoods over tokens; NaN where one has none that vary
 * @param logRatio ln (perplexity / reference's): the mean of d
 * @param ratio perplexity / reference's
 * @param difference perplexity − reference's
 */
public record PerplexityChange(
        Estimate reference, double correlation, Estimate logRatio, Estimate ratio, Estimate difference) {
    /** Standard errors to either side that hold 95 of 100 normally distributed values. */
    private static final double NORMAL_95 = 1.959963984540054;

    /**
     * @param model negative log-likelihoods of the right tokens
     * @param reference the same of the reference
     * @param differences the first less the second, token by token
     */
    static PerplexityChange of(StatisticalSummary model, StatisticalSummary reference, StatisticalSummary differences) {
        Estimate ours = Estimate.mean(model).exp();
        Estimate theirs = Estimate.mean(reference).exp();
        // Var(a − b) = Var a + Var b − 2 Cov(a, b)
        double covariance = (model.getVariance() + reference.getVariance() - differences.getVariance()) / 2;
        double correlation = covariance / (model.getStandardDeviation() * reference.getStandardDeviation());
        double tokens = model.getN();
        double variance = square(ours.standardError())
                + square(theirs.standardError())
                - 2 * ours.value() * theirs.value() * covariance / tokens;
        Estimate logRatio = Estimate.mean(differences);
        return new PerplexityChange(
                theirs,
                correlation,
                logRatio,
                logRatio.exp(),
                new Estimate(ours.value() - theirs.value(), Math.sqrt(Math.max(0, variance))));
    }

    private static double square(double value) {
        return value * value;
    }

    /** Least ratio that the text speaks for with 95 % confidence. */
    public double lowerRatio() {
        return Math.exp(logRatio.value() - NORMAL_95 * logRatio.standardError());
    }

    /** Greatest ratio that the text speaks for with 95 % confidence. */
    public double upperRatio() {
        return Math.exp(logRatio.value() + NORMAL_95 * logRatio.standardError());
    }
}
