package dev.demitasse.quantize.transform;

import dev.demitasse.quantize.matrix.Matrix;
import java.util.OptionalDouble;

/**
 * SmoothQuant's factors: s_j = max|X_j|^α / max|W_j|^(1−α) for each input channel j; X / s and W · s have the same
 * product, and a spread that is easier to round (Xiao et al., arXiv:2211.10438, §4, equations 3 and 4).
 *
 * <p>α may be searched for each input, which the paper does for a model as a whole: the one of 0.30, 0.35 … 0.95 that
 * gives the least error of the outputs where weights are rounded to INT8 by row and activations by token.
 *
 * @param alpha 0 leaves the weights' spread, 1 the activations' spread at 1; searched if empty
 */
public record SmoothQuant(OptionalDouble alpha) implements Factors {
    private static final float SMALLEST = 1e-5f;
    private static final double FIRST = 0.3;
    private static final double STEP = 0.05;
    private static final int STEPS = 14;

    @Override
    public float[] choose(ScaledInput input) {
        float[] activations = input.largest(input.seen().largest());
        float[] weights = input.largest(input.columnMaxima());
        if (alpha.isPresent()) {
            return factors(activations, weights, alpha.getAsDouble());
        }
        OutputProbe probe = new OutputProbe(input);
        float[] best = factors(activations, weights, 0.5);
        double least = Double.POSITIVE_INFINITY;
        for (int step = 0; step < STEPS; step++) {
            float[] factors = factors(activations, weights, FIRST + step * STEP);
            double error = probe.error(input.spread(factors), SmoothQuant::roundedToInt8, SmoothQuant::roundedToInt8);
            if (error < least) {
                least = error;
                best = factors;
            }
        }
        return best;
    }

    /**
     * @param activations largest magnitude of each input channel, {@code [in]}
     * @param weights largest magnitude of each column over all matrices that share the input, {@code [in]}
     * @param alpha 0.5 in the paper
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

    /** Each row rounded to 127 steps of its largest magnitude. */
    private static Matrix roundedToInt8(Matrix matrix) {
        Matrix rounded = matrix.copy();
        float[] values = rounded.values();
        int columns = matrix.columns();
        for (int row = 0; row < matrix.rows(); row++) {
            float largest = 0;
            for (int i = row * columns; i < (row + 1) * columns; i++) {
                largest = Math.max(largest, Math.abs(values[i]));
            }
            float scale = largest / 127;
            for (int i = row * columns; i < (row + 1) * columns && scale > 0; i++) {
                values[i] = scale * (float) Math.rint(values[i] / scale);
            }
        }
        return rounded;
    }
}
