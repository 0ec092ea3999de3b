package dev.demitasse.model;

import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.DoubleStream;

/** How a rotary embedding's frequencies change for contexts longer than the trained one. */
public sealed interface RopeScaling {
    /**
     * The frequencies used in place of {@code frequencies}, in radians per position.
     *
     * @param frequencies of each pair, base^(−2·pair / dimensions)
     * @param length of the sequence
     */
    double[] scale(double[] frequencies, double base, int length);

    /** Multiplies cosines and sines, and so every product of a query and a key by its square. */
    default double attentionFactor() {
        return 1;
    }

    /** A number that is the same for two lengths if the same frequencies serve both. */
    default int lengthClass(int length) {
        return 0;
    }

    /** Complains where it has numbers for each pair, and not for {@code pairs}. */
    default void requirePairs(int pairs) {}

    record None() implements RopeScaling {
        @Override
        public double[] scale(double[] frequencies, double base, int length) {
            return frequencies;
        }
    }

    /** Position interpolation (Chen et al., arXiv:2306.15595): every frequency divided by {@code factor}. */
    record Linear(double factor) implements RopeScaling {
        public Linear {
            requirePositive(factor, "factor");
        }

        @Override
        public double[] scale(double[] frequencies, double base, int length) {
            return each(frequencies, frequency -> frequency / factor);
        }
    }

    /**
     * Llama 3.1's rule: wavelengths past original/low are divided by {@code factor}, those under original/high are kept,
     * those between are interpolated smoothly ({@code rope_type: llama3}).
     */
    record Llama3(double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalMaximumPositions)
            implements RopeScaling {
        public Llama3 {
            requirePositive(factor, "factor");
            requirePositive(lowFrequencyFactor, "low_freq_factor");
            requirePositive(highFrequencyFactor - lowFrequencyFactor, "high_freq_factor - low_freq_factor");
        }

        @Override
        public double[] scale(double[] frequencies, double base, int length) {
            return each(frequencies, this::scale);
        }

        private double scale(double frequency) {
            double turns = originalMaximumPositions * frequency / (2 * Math.PI);
            if (turns < lowFrequencyFactor) {
                return frequency / factor;
            }
            if (turns > highFrequencyFactor) {
                return frequency;
            }
            double smooth = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
            return (1 - smooth) * frequency / factor + smooth * frequency;
        }
    }

    /** Every pair's frequency divided by a factor of its own: GGUF's {@code rope_freqs.weight}. */
    record Factors(List<Double> factors) implements RopeScaling {
        public Factors {
            factors = List.copyOf(factors);
            factors.forEach(factor -> requirePositive(factor, "frequency factor"));
        }

        @Override
        public double[] scale(double[] frequencies, double base, int length) {
            return divided(frequencies, factors);
        }

        @Override
        public void requirePairs(int pairs) {
            requireCount(factors, pairs);
        }
    }

    /**
     * LongRoPE (Ding et al., arXiv:2402.13753): factors for each pair, other ones in sequences longer than the original
     * maximum. All positions of a sequence use the same.
     *
     * @param attentionFactor √(1 + ln(new/original) / ln(original)) unless the model says otherwise
     */
    record LongRope(
            List<Double> shortFactors, List<Double> longFactors, int originalMaximumPositions, double attentionFactor)
            implements RopeScaling {
        public LongRope {
            shortFactors = List.copyOf(shortFactors);
            longFactors = List.copyOf(longFactors);
            shortFactors.forEach(factor -> requirePositive(factor, "short_factor"));
            longFactors.forEach(factor -> requirePositive(factor, "long_factor"));
            requirePositive(originalMaximumPositions, "original_max_position_embeddings");
            requirePositive(attentionFactor, "attention_factor");
        }

        /** The attention factor of a model stretched from {@code original} positions to {@code stretched}. */
        public static double usualAttentionFactor(double original, double stretched) {
            return stretched <= original ? 1 : Math.sqrt(1 + Math.log(stretched / original) / Math.log(original));
        }

        @Override
        public double[] scale(double[] frequencies, double base, int length) {
            return divided(frequencies, length > originalMaximumPositions ? longFactors : shortFactors);
        }

        @Override
        public int lengthClass(int length) {
            return length > originalMaximumPositions ? 1 : 0;
        }

        @Override
        public void requirePairs(int pairs) {
            requireCount(shortFactors, pairs);
            requireCount(longFactors, pairs);
        }
    }

    /**
     * YaRN (Peng et al., arXiv:2309.00071, §3.2 and 3.4): pairs that turn more than {@code betaFast} times in the original
     * context keep their frequency, those that turn less than {@code betaSlow} times are interpolated, a ramp between.
     *
     * @param attentionFactor 0.1 · ln(factor) + 1 unless the model says otherwise
     */
    record Yarn(double factor, int originalMaximumPositions, double betaFast, double betaSlow, double attentionFactor)
            implements RopeScaling {
        public static final double BETA_FAST = 32;
        public static final double BETA_SLOW = 1;
        /** Keeps the ramp's two ends apart. */
        private static final double GAP = 0.001;

        public Yarn {
            requirePositive(factor, "factor");
            requirePositive(originalMaximumPositions, "original_max_position_embeddings");
            requirePositive(betaFast, "beta_fast");
            requirePositive(betaSlow, "beta_slow");
            requirePositive(attentionFactor, "attention_factor");
        }

        /** Eq. 22. */
        public static double usualAttentionFactor(double factor) {
            return factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1;
        }

        @Override
        public double[] scale(double[] frequencies, double base, int length) {
            int dimensions = 2 * frequencies.length;
            double low = Math.max(0, Math.floor(pairTurning(betaFast, dimensions, base)));
            double high = Math.min(dimensions - 1.0, Math.ceil(pairTurning(betaSlow, dimensions, base)));
            double width = high == low ? GAP : high - low;
            double[] scaled = new double[frequencies.length];
            for (int pair = 0; pair < scaled.length; pair++) {
                double ramp = Math.clamp((pair - low) / width, 0, 1);
                scaled[pair] = frequencies[pair] / factor * ramp + frequencies[pair] * (1 - ramp);
            }
            return scaled;
        }

        /** Which pair turns {@code times} times in the original context; a fraction in between. */
        private double pairTurning(double times, int dimensions, double base) {
            return dimensions * Math.log(originalMaximumPositions / (times * 2 * Math.PI)) / (2 * Math.log(base));
        }
    }

    /**
     * Dynamic NTK scaling ({@code rope_type: dynamic}): in sequences longer than the original maximum the base grows with
     * the length. Each new token changes all frequencies; keys that are cached stay as they were, as in transformers.
     */
    record Dynamic(double factor, int originalMaximumPositions) implements RopeScaling {
        public Dynamic {
            requirePositive(factor, "factor");
            requirePositive(originalMaximumPositions, "max_position_embeddings");
        }

        @Override
        public double[] scale(double[] frequencies, double base, int length) {
            if (length <= originalMaximumPositions) {
                return frequencies;
            }
            double dimensions = 2.0 * frequencies.length;
            double growth =
                    Math.pow(factor * length / originalMaximumPositions - (factor - 1), dimensions / (dimensions - 2));
            double[] scaled = new double[frequencies.length];
            for (int pair = 0; pair < scaled.length; pair++) {
                scaled[pair] = Math.pow(base * growth, -2.0 * pair / dimensions);
            }
            return scaled;
        }

        @Override
        public int lengthClass(int length) {
            return length <= originalMaximumPositions ? 0 : length;
        }

        @Override
        public void requirePairs(int pairs) {
            if (pairs < 2) {
                throw new IllegalArgumentException("dynamic rope scaling of a single pair");
            }
        }
    }

    private static double[] each(double[] frequencies, DoubleUnaryOperator change) {
        return DoubleStream.of(frequencies).map(change).toArray();
    }

    private static double[] divided(double[] frequencies, List<Double> factors) {
        double[] scaled = frequencies.clone();
        for (int pair = 0; pair < scaled.length; pair++) {
            scaled[pair] /= factors.get(pair);
        }
        return scaled;
    }

    private static void requireCount(List<Double> factors, int pairs) {
        if (factors.size() != pairs) {
            throw new IllegalArgumentException(
                    "%d rotary dimensions, but %d frequency factors".formatted(2 * pairs, factors.size()));
        }
    }

    private static void requirePositive(double value, String what) {
        if (!(value > 0) || Double.isInfinite(value)) {
            throw new IllegalArgumentException("rope scaling's " + what + " is " + value);
        }
    }
}
