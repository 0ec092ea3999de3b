package dev.demitasse.model;

/** How a rotary embedding's frequencies change for contexts longer than the trained one. */
public sealed interface RopeScaling {
    /** The frequency used in place of {@code frequency}, in radians per position. */
    double scale(double frequency);

    record None() implements RopeScaling {
        @Override
        public double scale(double frequency) {
            return frequency;
        }
    }

    /** Position interpolation (Chen et al., arXiv:2306.15595): every frequency divided by {@code factor}. */
    record Linear(double factor) implements RopeScaling {
        @Override
        public double scale(double frequency) {
            return frequency / factor;
        }
    }

    /**
     * Llama 3.1's rule: wavelengths past original/low are divided by {@code factor}, those under original/high are kept,
     * those between are interpolated smoothly ({@code rope_type: llama3}).
     */
    record Llama3(double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalMaximumPositions)
            implements RopeScaling {
        @Override
        public double scale(double frequency) {
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
}
