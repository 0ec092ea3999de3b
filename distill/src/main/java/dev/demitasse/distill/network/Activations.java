package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import dev.demitasse.model.FeedForward.Activation;

/** Element-wise non-linearities, differentiable. */
final class Activations {
    /** 2 √(2/π): x/2 · (1 + tanh(z)) is x · sigmoid(2z), which leaves fewer arrays to keep for the way back. */
    private static final float TWICE_ROOT = (float) (2 * Math.sqrt(2 / Math.PI));

    private static final float CUBE = 0.044715f;

    private Activations() {}

    static NDArray apply(Activation activation, NDArray x) {
        return switch (activation) {
            case SILU -> x.mul(sigmoid(x));
            case GELU -> x.getNDArrayInternal().gelu();
            case GELU_TANH -> x.mul(sigmoid(x.mul(x.square().mul(CUBE).add(1f)).mul(TWICE_ROOT)));
            case RELU -> x.getNDArrayInternal().relu();
        };
    }

    static NDArray sigmoid(NDArray x) {
        return x.getNDArrayInternal().sigmoid();
    }
}
