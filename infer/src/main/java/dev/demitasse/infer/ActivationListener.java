package dev.demitasse.infer;

import dev.demitasse.model.Role;

/** Sees what enters a layer's projections: calibration. */
public interface ActivationListener {
    /** Looks at nothing. */
    ActivationListener NONE = (role, input, tokens, width) -> {};

    /**
     * A projection is about to be applied.
     *
     * @param role {@link Role#QUERY} for the input that q, k and v share, {@link Role#GATE} for that of gate and up,
     *     {@link Role#ATTENTION_OUTPUT}, {@link Role#DOWN}
     * @param input {@code [tokens, width]}, row-major, at least that long; read it now, it is overwritten later
     */
    void onInput(Role role, float[] input, int tokens, int width);
}
