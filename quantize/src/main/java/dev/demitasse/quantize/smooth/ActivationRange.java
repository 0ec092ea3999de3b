package dev.demitasse.quantize.smooth;

import dev.demitasse.infer.ActivationListener;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.EnumMap;
import java.util.Map;

/** The largest magnitude that each input channel of a layer's projections has had. */
public final class ActivationRange implements ActivationListener {
    private final Map<Role, float[]> largest = new EnumMap<>(Role.class);

    /** Nothing seen yet. */
    public ActivationRange(ModelConfig config) {
        for (Role role : new Role[] {Role.QUERY, Role.ATTENTION_OUTPUT, Role.GATE, Role.DOWN}) {
            largest.put(role, new float[config.columns(TensorKey.weight(role, 0))]);
        }
    }

    @Override
    public void onInput(TensorKey projection, float[] input, int tokens, int width) {
        float[] channels = of(projection.role());
        for (int token = 0; token < tokens; token++) {
            for (int channel = 0; channel < width; channel++) {
                channels[channel] = Math.max(channels[channel], Math.abs(input[token * width + channel]));
            }
        }
    }

    /**
     * {@code [in]}, of the input that {@code role} names: {@link Role#QUERY} of q, k and v, {@link Role#GATE} of gate and
     * up, {@link Role#ATTENTION_OUTPUT}, {@link Role#DOWN}.
     */
    public float[] of(Role role) {
        float[] channels = largest.get(role);
        if (channels == null) {
            throw new IllegalArgumentException(role + " shares another's input");
        }
        return channels;
    }
}
