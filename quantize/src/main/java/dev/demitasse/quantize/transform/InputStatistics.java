package dev.demitasse.quantize.transform;

import dev.demitasse.infer.ActivationListener;
import dev.demitasse.model.TensorKey;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** What the inputs of a layer's projections look like, channel by channel, and some tokens of them. */
public final class InputStatistics implements ActivationListener {
    private final long expectedTokens;
    private final int sampleTokens;
    private final Map<TensorKey, Input> inputs = new HashMap<>();

    /**
     * @param expectedTokens how many tokens there will be, to take the sample evenly from them
     * @param sampleTokens how many of them to keep of each input
     */
    public InputStatistics(long expectedTokens, int sampleTokens) {
        this.expectedTokens = expectedTokens;
        this.sampleTokens = (int) Math.min(expectedTokens, sampleTokens);
    }

    @Override
    public void onInput(TensorKey projection, float[] input, int tokens, int width) {
        inputs.computeIfAbsent(projection, key -> new Input(width)).add(input, tokens);
    }

    /** Of the input of {@code projection}, by the names of {@link ActivationListener}; none if it saw none. */
    public Optional<Input> of(TensorKey projection) {
        return Optional.ofNullable(inputs.get(projection));
    }

    /** One input. */
    public final class Input {
        private final int width;
        private final float[] largest;
        private final double[] sums;
        private final float[] sample;
        private long tokens;
        private int kept;

        private Input(int width) {
            this.width = width;
            this.largest = new float[width];
            this.sums = new double[width];
            this.sample = new float[Math.multiplyExact(sampleTokens, width)];
        }

        private void add(float[] input, int count) {
            for (int token = 0; token < count; token++) {
                int at = token * width;
                for (int channel = 0; channel < width; channel++) {
                    float magnitude = Math.abs(input[at + channel]);
                    largest[channel] = Math.max(largest[channel], magnitude);
                    sums[channel] += magnitude;
                }
                if (kept < sampleTokens && tokens * sampleTokens >= kept * expectedTokens) {
                    System.arraycopy(input, at, sample, kept * width, width);
                    kept++;
                }
                tokens++;
            }
        }

        /** What both were told of, as one; the sample of the one that saw more. */
        Input merged(Input other) {
            Input merged = new Input(width);
            merged.tokens = tokens + other.tokens;
            for (int channel = 0; channel < width; channel++) {
                merged.largest[channel] = Math.max(largest[channel], other.largest[channel]);
                merged.sums[channel] = sums[channel] + other.sums[channel];
            }
            Input larger = kept >= other.kept ? this : other;
            merged.kept = larger.kept;
            System.arraycopy(larger.sample, 0, merged.sample, 0, larger.kept * width);
            return merged;
        }

        /** The largest magnitude that each channel had, {@code [in]}. */
        public float[] largest() {
            return largest.clone();
        }

        /** The mean magnitude of each channel, {@code [in]}. */
        public float[] meanMagnitude() {
            float[] means = new float[width];
            for (int channel = 0; channel < width; channel++) {
                means[channel] = (float) (sums[channel] / tokens);
            }
            return means;
        }

        /** Some tokens, evenly taken, {@code [tokens, in]}. */
        public Matrix sample() {
            return new Matrix(kept, width, java.util.Arrays.copyOf(sample, kept * width));
        }
    }
}
