package dev.demitasse.infer.evaluate;

import dev.demitasse.infer.parallel.Workers;
import java.util.Optional;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;
import org.apache.commons.math3.stat.descriptive.SummaryStatistics;
import org.apache.commons.math3.stat.descriptive.rank.Percentile;

/** Adds up scores token by token, always in the order of the text, whatever computed them. */
final class Tally {
    private final int vocabulary;
    private final SummaryStatistics losses = new SummaryStatistics();
    private final DescriptiveStatistics divergences = new DescriptiveStatistics();
    private long agreements;

    Tally(int vocabulary) {
        this.vocabulary = vocabulary;
    }

    /**
     * Scores the tokens of {@code window} from {@code firstScored} on.
     *
     * @param logits {@code [window, vocabulary]}
     * @param reference of the same shape, or nothing
     */
    void add(int[] window, int firstScored, float[] logits, Optional<float[]> reference) {
        int count = window.length - firstScored;
        double[] loss = new double[count];
        double[] divergence = new double[count];
        boolean[] agrees = new boolean[count];
        Workers.COMMON.run(count, i -> {
            int at = (firstScored - 1 + i) * vocabulary;
            double total = LogitRows.logSumExp(logits, at, vocabulary);
            loss[i] = total - logits[at + window[firstScored + i]];
            reference.ifPresent(other -> {
                double otherTotal = LogitRows.logSumExp(other, at, vocabulary);
                divergence[i] = LogitRows.divergence(other, otherTotal, logits, total, at, vocabulary);
                agrees[i] = LogitRows.mostLikely(other, at, vocabulary) == LogitRows.mostLikely(logits, at, vocabulary);
            });
        });
        for (int i = 0; i < count; i++) {
            losses.addValue(loss[i]);
            if (reference.isPresent()) {
                divergences.addValue(divergence[i]);
                agreements += agrees[i] ? 1 : 0;
            }
        }
    }

    double nll() {
        return losses.getSum() / losses.getN();
    }

    /**
     * @param bytes of the text that the scored tokens stand for
     */
    Quality quality(long bytes) {
        long tokens = losses.getN();
        double error = tokens > 1 ? losses.getStandardDeviation() / Math.sqrt(tokens) : 0;
        double perplexity = Math.exp(nll());
        return new Quality(
                perplexity, perplexity * error, nll(), losses.getSum() / Math.log(2) / bytes, tokens, divergence());
    }

    private Optional<Divergence> divergence() {
        if (divergences.getN() == 0) {
            return Optional.empty();
        }
        // The least value that at least 99 of 100 do not exceed: one that occurred, nothing interpolated.
        double percentile99 = new Percentile(99)
                .withEstimationType(Percentile.EstimationType.R_1)
                .evaluate(divergences.getValues());
        return Optional.of(new Divergence(
                divergences.getSum() / divergences.getN(), percentile99, (double) agreements / divergences.getN()));
    }
}
