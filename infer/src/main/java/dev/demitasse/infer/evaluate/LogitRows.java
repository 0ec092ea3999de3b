package dev.demitasse.infer.evaluate;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.kernel.Exponential;
import dev.demitasse.infer.kernel.Lanes;
import jdk.incubator.vector.FloatVector;

/**
 * Log-likelihood and divergence from rows of logits. Exponentials are floats; their sums are carried to double every few
 * vectors, so that the size of the vocabulary costs no precision.
 */
final class LogitRows {
    private static final int STRETCH = 16 * Lanes.COUNT;

    private LogitRows() {}

    /** ln Σ e^x of {@code count} logits from {@code at}. */
    static double logSumExp(float[] logits, int at, int count) {
        float largest = Elementwise.maximum(logits, at, count);
        double sum = 0;
        int i = 0;
        while (i <= count - Lanes.COUNT) {
            int end = Math.min(count - Lanes.COUNT + 1, i + STRETCH);
            FloatVector sums = FloatVector.zero(Lanes.FLOAT);
            for (; i < end; i += Lanes.COUNT) {
                sums = sums.add(Exponential.of(
                        FloatVector.fromArray(Lanes.FLOAT, logits, at + i).sub(largest)));
            }
            sum += Lanes.sum(sums);
        }
        for (; i < count; i++) {
            sum += Math.exp(logits[at + i] - largest);
        }
        return largest + Math.log(sum);
    }

    /**
     * KL(reference ‖ model) = Σ p (r − m) − (ln Σ e^r − ln Σ e^m) of {@code count} logits of each, p the reference's
     * probabilities; 0 exactly where the rows are equal.
     */
    static double divergence(
            float[] reference, int from, double referenceSum, float[] model, int at, double modelSum, int count) {
        float shift = (float) referenceSum;
        // What rounding the shift took away, given back to the probabilities.
        double correction = Math.exp(shift - referenceSum);
        double weighted = 0;
        int i = 0;
        while (i <= count - Lanes.COUNT) {
            int end = Math.min(count - Lanes.COUNT + 1, i + STRETCH);
            FloatVector sums = FloatVector.zero(Lanes.FLOAT);
            for (; i < end; i += Lanes.COUNT) {
                FloatVector r = FloatVector.fromArray(Lanes.FLOAT, reference, from + i);
                FloatVector difference = r.sub(FloatVector.fromArray(Lanes.FLOAT, model, at + i));
                sums = Exponential.of(r.sub(shift)).fma(difference, sums);
            }
            weighted += Lanes.sum(sums);
        }
        for (; i < count; i++) {
            weighted += Math.exp(reference[from + i] - shift) * (reference[from + i] - model[at + i]);
        }
        return Math.max(0, weighted * correction - (referenceSum - modelSum));
    }

    /** Replaces each logit x by e^(x − shift). */
    static void exponentials(float[] logits, float shift) {
        int i = 0;
        for (; i <= logits.length - Lanes.COUNT; i += Lanes.COUNT) {
            Exponential.of(FloatVector.fromArray(Lanes.FLOAT, logits, i).sub(shift))
                    .intoArray(logits, i);
        }
        for (; i < logits.length; i++) {
            logits[i] = (float) Math.exp(logits[i] - shift);
        }
    }

    /** Index of the largest of {@code count} logits from {@code at}, the first of equals. */
    static int mostLikely(float[] logits, int at, int count) {
        float largest = Elementwise.maximum(logits, at, count);
        for (int i = 0; i < count; i++) {
            if (logits[at + i] == largest) {
                return i;
            }
        }
        return 0;
    }
}
