package dev.demitasse.infer;

import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;

/** Sees what enters a layer's projections: calibration. */
public interface ActivationListener {
    /** Looks at nothing. */
    ActivationListener NONE = (projection, input, tokens, width) -> {};

    /**
     * A projection is about to be applied. Those that share an input are told of as one, the first: {@link Role#QUERY} for
     * q, k and v, {@link Role#GATE} for gate and up ({@link Role#UP} where there is no gate), an expert's
     * {@link Role#EXPERT_GATE} or {@link Role#SHARED_GATE} for its gate and up; besides them {@link Role#ATTENTION_OUTPUT},
     * {@link Role#DOWN}, {@link Role#EXPERT_DOWN}, {@link Role#SHARED_DOWN}. An expert sees the tokens that were sent to
     * it; one to which none were is not told of.
     *
     * @param projection names the projection's weight
     * @param input {@code [tokens, width]}, row-major, at least that long; read it now, it is overwritten later
     */
    void onInput(TensorKey projection, float[] input, int tokens, int width);
}
