package dev.demitasse.infer.generate;

import dev.demitasse.infer.kernel.Elementwise;
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
        return draw(distribution(logits, 0, logits.length));
    }

    int draw(Distribution distribution) {
        return distribution.draw(random);
    }

    /** A number from 0 to 1, 1 excluded. */
    double chance() {
        return random.nextDouble();
    }

    /** What the options leave of {@code count} logits from {@code at}. */
    Distribution distribution(float[] logits, int at, int count) {
        float largest = Elementwise.maximum(logits, at, count);
        if (options.temperature() == 0) {
            return Distribution.certain(first(largest, logits, at, count));
        }
        if (options.topK() == 0 && options.topP() == 1) {
            return all(logits, at, count, largest);
        }
        int[] candidates = TopK.of(logits, at, count, wanted(logits, at, count, largest));
        double[] weights = new double[candidates.length];
        double total = 0;
        for (int i = 0; i < candidates.length; i++) {
            weights[i] = weight(logits[at + candidates[i]], largest);
            total += weights[i];
        }
        if (options.topK() == 0) {
            total = total(logits, at, count, largest);
        }
        return nucleus(candidates, weights, total);
    }

    private Distribution all(float[] logits, int at, int count, float largest) {
        int[] tokens = new int[count];
        double[] probabilities = new double[count];
        double total = 0;
        for (int i = 0; i < count; i++) {
            tokens[i] = i;
            probabilities[i] = weight(logits[at + i], largest);
            total += probabilities[i];
        }
        for (int i = 0; i < count; i++) {
            probabilities[i] /= total;
        }
        return new Distribution(tokens, probabilities);
    }

    private double weight(float logit, float largest) {
        return Math.exp((logit - largest) / options.temperature());
    }

    private double total(float[] logits, int at, int count, float largest) {
        double total = 0;
        for (int i = 0; i < count; i++) {
            total += weight(logits[at + i], largest);
        }
        return total;
    }

    /**
     * How many of the likeliest tokens to put in order. Tokens whose probabilities are under (1 − topP) / n each have less than
     * 1 − topP together: the fewest that reach topP are among the others.
     */
    private int wanted(float[] logits, int at, int count, float largest) {
        if (options.topK() > 0) {
            return Math.min(options.topK(), count);
        }
        double least = (1 - options.topP()) / count * total(logits, at, count, largest);
        double logit = largest + options.temperature() * Math.log(least);
        int wanted = 0;
        for (int i = 0; i < count; i++) {
            // With room for the rounding of the logarithm.
            wanted += logits[at + i] >= logit - 1e-3 * options.temperature() ? 1 : 0;
        }
        return Math.max(1, wanted);
    }

    /** The first of {@code weights}, as few as it takes to reach topP of {@code total}. */
    private Distribution nucleus(int[] candidates, double[] weights, double total) {
        double reached = 0;
        int kept = 0;
        while (kept < weights.length && (kept == 0 || reached < options.topP() * total)) {
            reached += weights[kept++];
        }
        int[] tokens = new int[kept];
        double[] probabilities = new double[kept];
        for (int i = 0; i < kept; i++) {
            tokens[i] = candidates[i];
            probabilities[i] = weights[i] / reached;
        }
        return new Distribution(tokens, probabilities);
    }

    private static int first(float value, float[] logits, int at, int count) {
        for (int i = 0; i < count; i++) {
            if (logits[at + i] == value) {
                return i;
            }
        }
        return 0; // Not a number.
    }
}
