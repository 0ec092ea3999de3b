package dev.demitasse.distill;

import java.util.List;
import java.util.OptionalDouble;

/**
 * What a training did.
 *
 * @param steps one point for each optimizer step, those before an interruption included
 * @param validation cross-entropy of held-out windows, the first before any step
 * @param tokens how many tokens the steps saw
 * @param resumedFrom how many steps had been done when this process began
 * @param seconds how long this process trained
 * @param tokensPerSecond what this process trained on in that time, validation included
 */
public record TrainingReport(
        List<StepPoint> steps,
        List<ValidationPoint> validation,
        long tokens,
        int resumedFrom,
        double seconds,
        double tokensPerSecond) {

    public TrainingReport {
        steps = List.copyOf(steps);
        validation = List.copyOf(validation);
    }

    /**
     * One optimizer step.
     *
     * @param step counted from 1
     * @param tokens seen until then
     * @param learningRate of this step
     * @param loss weighted sum of the parts, before the step
     * @param gradientNorm before clipping
     */
    public record StepPoint(int step, long tokens, double learningRate, LossParts loss, double gradientNorm) {}

    /**
     * A look at held-out windows.
     *
     * @param step how many steps had been done
     * @param loss cross-entropy per token, in nats
     */
    public record ValidationPoint(int step, double loss) {}

    /**
     * The parts of a loss, each without its weight; 0 where the part has none.
     *
     * @param total the weighted sum
     * @param kl divergence from the teacher, times T²
     * @param crossEntropy of the text, in nats per token
     * @param hidden mean squared error of hidden states
     */
    public record LossParts(double total, double kl, double crossEntropy, double hidden) {
        LossParts plus(LossParts other) {
            return new LossParts(
                    total + other.total, kl + other.kl, crossEntropy + other.crossEntropy, hidden + other.hidden);
        }

        LossParts dividedBy(int count) {
            return new LossParts(total / count, kl / count, crossEntropy / count, hidden / count);
        }
    }

    /** The held-out loss before the first step. */
    public OptionalDouble validationBefore() {
        return validation.isEmpty() ? OptionalDouble.empty() : OptionalDouble.of(validation.getFirst().loss);
    }

    /** The held-out loss after the last step. */
    public OptionalDouble validationAfter() {
        return validation.isEmpty() ? OptionalDouble.empty() : OptionalDouble.of(validation.getLast().loss);
    }
}
