package dev.demitasse.infer.generate;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * What the next token may be.
 *
 * @param tokens those that it may be, each once
 * @param probabilities of each, which sum to 1
 */
record Distribution(int[] tokens, double[] probabilities) {
    /** One token, for certain. */
    static Distribution certain(int token) {
        return new Distribution(new int[] {token}, new double[] {1});
    }

    double of(int token) {
        for (int i = 0; i < tokens.length; i++) {
            if (tokens[i] == token) {
                return probabilities[i];
            }
        }
        return 0;
    }

    /** With what probability a token that was drawn from {@code proposal} is taken for one of this: min(1, p / q). */
    double acceptance(int token, Distribution proposal) {
        return Math.min(1, of(token) / proposal.of(token));
    }

    int draw(RandomGenerator random) {
        if (tokens.length == 1) {
            return tokens[0];
        }
        double point = random.nextDouble();
        for (int i = 0; i < tokens.length; i++) {
            point -= probabilities[i];
            if (point < 0) {
                return tokens[i];
            }
        }
        return tokens[tokens.length - 1];
    }

    /** max(0, p − q), normalized: what to draw from where a proposal of {@code other} was refused. */
    Distribution beyond(Distribution other) {
        int count = 0;
        int[] left = new int[tokens.length];
        double[] weights = new double[tokens.length];
        double total = 0;
        for (int i = 0; i < tokens.length; i++) {
            double weight = probabilities[i] - other.of(tokens[i]);
            if (weight > 0) {
                left[count] = tokens[i];
                weights[count++] = weight;
                total += weight;
            }
        }
        if (count == 0) {
            return this; // The same but for rounding: nothing of it is ever refused, but for rounding.
        }
        for (int i = 0; i < count; i++) {
            weights[i] /= total;
        }
        return new Distribution(Arrays.copyOf(left, count), Arrays.copyOf(weights, count));
    }
}
