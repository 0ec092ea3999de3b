package dev.demitasse.infer.evaluate;

import dev.demitasse.infer.parallel.Workers;
import java.util.Arrays;
import java.util.Optional;

/** Adds up scores token by token, always in the order of the text, whatever computed them. */
final class Tally {
    private final int vocabulary;
    private long tokens;
    private double sum;
    private double squares;
    private long agreements;
    private double divergenceSum;
    private float[] divergences = new float[1024];
    private int divergenceCount;

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
        double[] losses = new double[count];
        double[] divergence = new double[count];
        boolean[] agrees = new boolean[count];
        Workers.COMMON.run(count, i -> {
            int at = (firstScored - 1 + i) * vocabulary;
            double total = LogitRows.logSumExp(logits, at, vocabulary);
            losses[i] = total - logits[at + window[firstScored + i]];
            reference.ifPresent(other -> {
                double otherTotal = LogitRows.logSumExp(other, at, vocabulary);
                divergence[i] = LogitRows.divergence(other, otherTotal, logits, total, at, vocabulary);
                agrees[i] = LogitRows.mostLikely(other, at, vocabulary) == LogitRows.mostLikely(logits, at, vocabulary);
            });
        });
        tokens += count;
        for (int i = 0; i < count; i++) {
            sum += losses[i];
            squares += losses[i] * losses[i];
            if (reference.isPresent()) {
                addDivergence(divergence[i], agrees[i]);
            }
        }
    }

    private void addDivergence(double divergence, boolean agrees) {
        if (divergenceCount == divergences.length) {
            divergences = Arrays.copyOf(divergences, Math.multiplyExact(divergenceCount, 2));
        }
        divergences[divergenceCount++] = (float) divergence;
        divergenceSum += divergence;
        agreements += agrees ? 1 : 0;
    }

    double nll() {
        return sum / tokens;
    }

    /**
     * @param bytes of the text that the scored tokens stand for
     */
    Quality quality(long bytes) {
        double nll = nll();
        double variance = Math.max(0, squares / tokens - nll * nll);
        double error = tokens > 1 ? Math.sqrt(variance / (tokens - 1)) : 0;
        double perplexity = Math.exp(nll);
        return new Quality(perplexity, perplexity * error, nll, sum / Math.log(2) / bytes, tokens, divergence());
    }

    private Optional<Divergence> divergence() {
        if (divergenceCount == 0) {
            return Optional.empty();
        }
        float[] sorted = Arrays.copyOf(divergences, divergenceCount);
        Arrays.sort(sorted);
        int rank = (int) Math.ceil(0.99 * divergenceCount) - 1;
        return Optional.of(
                new Divergence(divergenceSum / divergenceCount, sorted[rank], (double) agreements / divergenceCount));
    }
}
