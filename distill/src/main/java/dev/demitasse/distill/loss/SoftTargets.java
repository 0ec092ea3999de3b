package dev.demitasse.distill.loss;

import ai.djl.ndarray.NDArray;

/**
 * The teacher's distributions as targets: KL(teacher ‖ student) of both softened by a temperature, mean over tokens, times
 * T² so that gradients keep their size whatever T (Hinton et al., arXiv:1503.02531, §2).
 *
 * <p>Σ p log p − Σ p log q: the first sum is the teacher's alone and is found once, outside of differentiation.
 *
 * @param probabilities p, the teacher's at {@code temperature}, weighted by each token's share, {@code [tokens, V]}
 * @param negativeEntropy Σ p log p over everything, a scalar
 * @param temperature T
 */
public record SoftTargets(NDArray probabilities, NDArray negativeEntropy, double temperature) {

    /** Every token counts the same. Call it untraced. */
    public static SoftTargets of(NDArray teacherLogits, double temperature) {
        NDArray log = softened(teacherLogits, temperature);
        return of(log, log.exp().div(log.getShape().get(0)), temperature);
    }

    /** @param mask {@code [tokens, 1]}: 1 where a token counts, 0 where not */
    public static SoftTargets of(NDArray teacherLogits, double temperature, NDArray mask) {
        NDArray log = softened(teacherLogits, temperature);
        return of(log, log.exp().mul(mask.div(mask.sum())), temperature);
    }

    private static SoftTargets of(NDArray log, NDArray weighted, double temperature) {
        return new SoftTargets(weighted, weighted.mul(log).sum(), temperature);
    }

    /** log softmax(logits / T), {@code [tokens, V]}. */
    public static NDArray softened(NDArray logits, double temperature) {
        return LogProbabilities.of(temperature == 1 ? logits : logits.div(temperature));
    }

    /** The divergence of a student with these logits, {@code [..., V]}. */
    public NDArray divergence(NDArray studentLogits) {
        return divergenceOf(softened(studentLogits, temperature));
    }

    /** @param logProbabilities the student's at the same temperature, {@code [tokens, V]} */
    public NDArray divergenceOf(NDArray logProbabilities) {
        return negativeEntropy.sub(probabilities.mul(logProbabilities).sum()).mul((float) (temperature * temperature));
    }
}
