package dev.demitasse.quantize.smooth;

/**
 * SmoothQuant's factors: s_j = max|X_j|^α / max|W_j|^(1−α) for each input channel j; X / s and W · s have the same
 * product, and a spread that is easier to round (Xiao et al., arXiv:2211.10438, §4, equations 3 and 4).
 */
public final class SmoothQuant {
    private static final float SMALLEST = 1e-5f;

    private SmoothQuant() {}

    /**
     * @param activations largest magnitude of each input channel, {@code [in]}
     * @param weights largest magnitude of each column over all matrices that share the input, {@code [in]}
     * @param alpha 0 leaves the weights' spread, 1 the activations' spread at 1; 0.5 in the paper
     * @return s {@code [in]}; maxima and factors below 1e-5 count as 1e-5
     */
    public static float[] factors(float[] activations, float[] weights, double alpha) {
        float[] factors = new float[activations.length];
        for (int channel = 0; channel < factors.length; channel++) {
            double activation = Math.pow(Math.max(SMALLEST, activations[channel]), alpha);
            double weight = Math.pow(Math.max(SMALLEST, weights[channel]), 1 - alpha);
            factors[channel] = Math.max(SMALLEST, (float) (activation / weight));
        }
        return factors;
    }
}
