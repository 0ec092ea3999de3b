package dev.demitasse.model;

import java.util.List;

/** How a rotary embedding's frequencies change for contexts longer than the trained one. */
public sealed interface RopeScaling {
    /**
     * The frequency used in place of {@code frequency}, in radians per position.
     *
     * @param pair which of the dimension pairs turns at it, from 0
     */
    double scale(double frequency, int pair);

    record None() implements RopeScaling {
        @Override
        public double scale(double frequency, int pair) {
            return frequency;
        }
    }

    /** Position interpolation (Chen et al., arXiv:2306.15595): every frequency divided by {@code factor}. */
    record Linear(double factor) implements RopeScaling {
        public Linear {
            requirePositive(factor, "factor");
        }

        @Override
        public double scale(double frequency, int pair) {
            return frequency / factor;
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
        public double scale(double frequency, int pair) {
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

    /**
     * Every pair's frequency divided by a factor of its own: GGUF's {@code rope_freqs.weight}, and config.json's
     * {@code longrope} where it has one list for all lengths.
     */
    record Factors(List<Double> factors) implements RopeScaling {
        public Factors {
            factors = List.copyOf(factors);
            factors.forEach(factor -> requirePositive(factor, "frequency factor"));
        }

        @Override
        public double scale(double frequency, int pair) {
            return frequency / factors.get(pair);
        }
    }

    private static void requirePositive(double value, String what) {
        if (!(value > 0) || Double.isInfinite(value)) {
            throw new IllegalArgumentException("rope scaling's " + what + " is " + value);
        }
    }
}
