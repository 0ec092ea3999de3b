package dev.demitasse.distill.optimize;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDScope;
import dev.demitasse.distill.network.PyTorch;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Adam with weight decay that the gradient does not see (Loshchilov and Hutter, arXiv:1711.05101, algorithm 2, as
 * torch.optim.AdamW computes it): θ ← θ · (1 − η λ), then θ ← θ − η m̂ / (√v̂ + ε), where m̂ and v̂ are the running
 * means of g and g², freed of their start at 0.
 *
 * <p>Our own, because DJL's decays every parameter, norms included, and keeps no state that can be saved.
 */
public final class AdamW {
    private final Settings settings;
    private final SequencedMap<String, Slot> slots = new LinkedHashMap<>();
    private int steps;

    /**
     * @param beta1 how much of m stays each step
     * @param beta2 how much of v stays each step
     * @param epsilon ε
     * @param weightDecay λ
     */
    public record Settings(double beta1, double beta2, double epsilon, double weightDecay) {}

    /** A parameter with its state: m and v. */
    public record Slot(NDArray parameter, boolean decays, NDArray firstMoment, NDArray secondMoment) {}

    public AdamW(Settings settings) {
        this.settings = settings;
    }

    /**
     * Adds an array to train; its moments belong to its manager.
     *
     * @param decays whether weight decay pulls it to 0: matrices, not norms and biases
     */
    public void add(String name, NDArray parameter, boolean decays) {
        NDArray first = parameter.zerosLike();
        NDArray second = parameter.zerosLike();
        NDScope.unregister(first);
        NDScope.unregister(second);
        if (slots.put(name, new Slot(parameter, decays, first, second)) != null) {
            throw new IllegalArgumentException("added twice: " + name);
        }
    }

    /** All parameters by name, in the order they were added. */
    public Map<String, Slot> slots() {
        return java.util.Collections.unmodifiableMap(slots);
    }

    /** How many steps were taken. */
    public int steps() {
        return steps;
    }

    /** Goes on after {@code taken} steps whose moments were put back into {@link #slots}. */
    public void resumeAfter(int taken) {
        steps = taken;
    }

    /** Sets every gradient to 0. */
    public void clearGradients() {
        try (PyTorch.Untraced untraced = PyTorch.untraced();
                NDScope scope = new NDScope()) {
            scope.suppressNotUsedWarning();
            for (Slot slot : slots.values()) {
                if (slot.parameter.hasGradient()) {
                    NDArray gradient = slot.parameter.getGradient();
                    gradient.subi(gradient);
                }
            }
        }
    }

    /** The root of the sum of squares of all gradients. */
    public double gradientNorm() {
        try (PyTorch.Untraced untraced = PyTorch.untraced();
                NDScope scope = new NDScope()) {
            scope.suppressNotUsedWarning();
            NDList squares = new NDList();
            for (Slot slot : slots.values()) {
                squares.add(slot.parameter.getGradient().square().sum());
            }
            double total = 0;
            for (NDArray square : squares) {
                total += square.toType(ai.djl.ndarray.types.DataType.FLOAT64, false)
                        .getDouble();
            }
            return Math.sqrt(total);
        }
    }

    /**
     * What gradients of norm {@code norm} are multiplied by so that it is no more than {@code limit}: torch's
     * {@code clip_grad_norm_}.
     */
    public static double clipCoefficient(double norm, double limit) {
        return Math.min(1, limit / (norm + 1e-6));
    }

    /**
     * One step along the gradients.
     *
     * @param learningRate η
     * @param gradientScale multiplies every gradient first
     */
    public void step(double learningRate, double gradientScale) {
        steps++;
        try (PyTorch.Untraced untraced = PyTorch.untraced()) {
            for (Slot slot : slots.values()) {
                try (NDScope scope = new NDScope()) {
                    scope.suppressNotUsedWarning();
                    update(slot, learningRate, gradientScale);
                }
            }
        }
    }

    private void update(Slot slot, double learningRate, double gradientScale) {
        NDArray gradient = slot.parameter.getGradient().mul(gradientScale);
        if (slot.decays) {
            slot.parameter.muli(1 - learningRate * settings.weightDecay);
        }
        slot.firstMoment.muli(settings.beta1).addi(gradient.mul(1 - settings.beta1));
        slot.secondMoment.muli(settings.beta2).addi(gradient.square().muli(1 - settings.beta2));
        double firstCorrection = 1 - Math.pow(settings.beta1, steps);
        double secondCorrection = 1 - Math.pow(settings.beta2, steps);
        NDArray denominator =
                slot.secondMoment.sqrt().divi(Math.sqrt(secondCorrection)).addi(settings.epsilon);
        slot.parameter.subi(slot.firstMoment.div(denominator).muli(learningRate / firstCorrection));
    }
}
