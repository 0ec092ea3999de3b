package dev.demitasse.quantize.grid;

/**
 * Finds the float16 scale s that minimises Σ u (x − s · code)² over a group. A candidate gives codes; the codes give the
 * least-squares scale Σ u x code / Σ u code²; that one, rounded to float16, is judged.
 */
final class ScaleSearch {
    private final double[] values;
    private final int at;
    private final double[] importance;
    private final int importanceAt;
    private final int count;
    private final int smallest;
    private final int largest;
    private final double extreme;
    private float best;
    private double bestGain;

    /** Codes lie between {@code smallest} and {@code largest}, zero stands for 0. */
    ScaleSearch(double[] values, int at, double[] importance, int importanceAt, int count, int smallest, int largest) {
        this.values = values;
        this.at = at;
        this.importance = importance;
        this.importanceAt = importanceAt;
        this.count = count;
        this.smallest = smallest;
        this.largest = largest;
        double found = 0;
        for (int i = 0; i < count; i++) {
            if (Math.abs(values[at + i]) > Math.abs(found)) {
                found = values[at + i];
            }
        }
        this.extreme = found;
    }

    /** Tries the scale at which the weight of largest magnitude would have code {@code code}. */
    void tryExtreme(double code) {
        if (extreme == 0) {
            return;
        }
        double inverse = code / extreme;
        double product = 0;
        double square = 0;
        for (int i = 0; i < count; i++) {
            double value = values[at + i];
            double rounded = Math.max(smallest, Math.min(largest, Math.rint(value * inverse)));
            double weighted = importance[importanceAt + i] * rounded;
            product += weighted * value;
            square += weighted * rounded;
        }
        if (square == 0) {
            return;
        }
        float scale = Float.float16ToFloat(Float.floatToFloat16((float) (product / square)));
        // Σ u x² less the error: s · (2 Σ u x code − s · Σ u code²).
        double gain = scale * (2 * product - scale * square);
        if (Float.isFinite(scale) && gain > bestGain) {
            bestGain = gain;
            best = scale;
        }
    }

    /** The best scale so far; 0 if no scale is better than zeros. */
    float best() {
        return best;
    }
}
