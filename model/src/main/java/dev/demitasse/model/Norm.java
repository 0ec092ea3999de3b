package dev.demitasse.model;

/** Normalisation of the residual stream before each block and before the head. */
public sealed interface Norm {
    /** Added to the mean square (or variance) before the root. */
    double epsilon();

    /** x / sqrt(mean(x²) + epsilon) · weight (Zhang and Sennrich, arXiv:1910.07467). */
    record Rms(double epsilon) implements Norm {
        public Rms {
            if (!(epsilon >= 0) || epsilon > 1) {
                throw new IllegalArgumentException("norm epsilon " + epsilon);
            }
        }
    }
}
