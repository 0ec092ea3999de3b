package dev.demitasse.distill;

import dev.demitasse.model.InvalidRequestException;

/**
 * What the loss consists of: kl · KL(teacher ‖ student) T² + crossEntropy · CE(text) + hidden · MSE(hidden states).
 *
 * @param kl weight of the divergence from the teacher
 * @param crossEntropy weight of the text itself
 * @param hidden weight of the hidden states' error
 * @param temperature T, above 0
 */
public record LossWeights(double kl, double crossEntropy, double hidden, double temperature) {
    /** The text alone: no teacher. */
    public static final LossWeights PRETRAIN = new LossWeights(0, 1, 0, 1);

    public LossWeights {
        if (!(kl >= 0) || !(crossEntropy >= 0) || !(hidden >= 0) || !(kl + crossEntropy + hidden > 0)) {
            throw new InvalidRequestException(
                    "loss",
                    "weights kl %s, ce %s, hidden %s; they must not be negative, nor all 0"
                            .formatted(kl, crossEntropy, hidden),
                    "give at least one of them a weight");
        }
        if (!(temperature > 0) || Double.isInfinite(temperature)) {
            throw new InvalidRequestException("temperature", "must be above 0, is " + temperature, "1 to 4 are usual");
        }
    }

    /** Whether a teacher has a say. */
    public boolean needsTeacher() {
        return kl > 0 || hidden > 0;
    }
}
