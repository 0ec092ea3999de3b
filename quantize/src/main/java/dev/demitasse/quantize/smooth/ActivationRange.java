package dev.demitasse.quantize.smooth;

import dev.demitasse.infer.ActivationListener;
import dev.demitasse.model.TensorKey;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** The largest magnitude that each input channel of a layer's projections has had. */
public final class ActivationRange implements ActivationListener {
    private final Map<TensorKey, float[]> largest = new HashMap<>();

    @Override
    public void onInput(TensorKey projection, float[] input, int tokens, int width) {
        float[] channels = largest.computeIfAbsent(projection, key -> new float[width]);
        for (int token = 0; token < tokens; token++) {
            for (int channel = 0; channel < width; channel++) {
                channels[channel] = Math.max(channels[channel], Math.abs(input[token * width + channel]));
            }
        }
    }

    /** {@code [in]}, of the input of {@code projection}, by the names of {@link ActivationListener}; none if it saw none. */
    public Optional<float[]> of(TensorKey projection) {
        return Optional.ofNullable(largest.get(projection));
    }
}
