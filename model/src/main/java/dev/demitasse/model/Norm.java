package dev.demitasse.model;

/** Normalisation over the last dimension. */
public sealed interface Norm {
    /** Added to the mean square (or variance) before the root. */
    double epsilon();

    /** Whether the result is multiplied by weights of its own. */
    boolean weight();

    /** Whether a bias is added. */
    boolean bias();

    /**
     * x / sqrt(mean(x²) + epsilon) · weight (Zhang and Sennrich, arXiv:1910.07467).
     *
     * @param unitOffset whether weights are stored less 1, as Hugging Face checkpoints of Gemma hold them
     */
    record Rms(double epsilon, boolean unitOffset) implements Norm {
        public Rms {
            requireSmall(epsilon);
        }

        public Rms(double epsilon) {
            this(epsilon, false);
        }

        @Override
        public boolean weight() {
            return true;
        }

        @Override
        public boolean bias() {
            return false;
        }
    }

    /** (x − mean(x)) / sqrt(variance(x) + epsilon) · weight + bias (Ba et al., arXiv:1607.06450). */
    record Layer(double epsilon, boolean weight, boolean bias) implements Norm {
        public Layer {
            requireSmall(epsilon);
        }

        /** With weight and bias, as usual. */
        public Layer(double epsilon) {
            this(epsilon, true, true);
        }
    }

    /** The same norm whose weights are stored with or without 1 taken off. */
    default Norm withUnitOffset(boolean offset) {
        return switch (this) {
            case Rms rms -> new Rms(rms.epsilon, offset);
            case Layer layer -> layer;
        };
    }

    /** Whether weights are stored less 1. */
    default boolean unitOffset() {
        return this instanceof Rms rms && rms.unitOffset;
    }

    private static void requireSmall(double epsilon) {
        if (!(epsilon >= 0) || epsilon > 1) {
            throw new IllegalArgumentException("norm epsilon " + epsilon);
        }
    }
}
