package dev.demitasse.infer.generate;

import dev.demitasse.infer.kernel.TopK;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** Draws tokens from logits: the most likely, or at random among the likely (nucleus sampling, arXiv:1904.09751 §3.1). */
public final class Sampler {
    private final SamplingOptions options;
    private final RandomGenerator random;

    public Sampler(SamplingOptions options) {
        this.options = options;
        this.random = RandomGeneratorFactory.of("L64X128MixRandom").create(options.seed());
    }

    /** The next token for {@code logits [vocabulary]}. */
    public int next(float[] logits) {
        if (options.temperature() == 0) {
            return mostLikely(logits);
        }
        int[] candidates = candidates(logits);
        double[] weights = new double[candidates.length];
        double total = 0;
        for (int i = 0; i < candidates.length; i++) {
            weights[i] = Math.exp((logits[candidates[i]] - logits[candidates[0]]) / options.temperature());
            total += weights[i];
        }
        int kept = nucleus(weights, total);
        double keptTotal = 0;
        for (int i = 0; i < kept; i++) {
            keptTotal += weights[i];
        }
        double point = random.nextDouble() * keptTotal;
        for (int i = 0; i < kept; i++) {
            point -= weights[i];
            if (point < 0) {
                return candidates[i];
            }
        }
        return candidates[kept - 1];
    }

    /** The likeliest tokens, {@code topK} of them or all, most likely first; among equals the smaller id. */
    private int[] candidates(float[] logits) {
        return TopK.of(logits, 0, logits.length, options.topK() == 0 ? logits.length : options.topK());
    }

    /** How many of the first {@code weights} it takes to reach topP of {@code total}. */
    private int nucleus(double[] weights, double total) {
        double reached = 0;
        for (int i = 0; i < weights.length; i++) {
            reached += weights[i];
            if (reached >= options.topP() * total) {
                return i + 1;
            }
        }
        return weights.length;
    }

    private static int mostLikely(float[] logits) {
        int best = 0;
        for (int id = 1; id < logits.length; id++) {
            best = logits[id] > logits[best] ? id : best;
        }
        return best;
    }
}
