package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.ActivationListener;
import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.Embedding;
import dev.demitasse.infer.LayerCache;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;

/** The residual stream of all calibration windows between two layers: {@code windows × [length, hiddenSize]}. */
final class HiddenStates {
    private final ModelConfig config;
    private final int length;
    private final float[][] windows;

    private HiddenStates(ModelConfig config, int length, float[][] windows) {
        this.config = config;
        this.length = length;
        this.windows = windows;
    }

    /** What enters the first layer. */
    static HiddenStates embed(ModelConfig config, WeightSource source, TokenWindows tokens) {
        int length = tokens.length();
        float[][] windows = new float[tokens.count()][];
        for (int window = 0; window < windows.length; window++) {
            windows[window] = new float[Math.multiplyExact(length, config.hiddenSize())];
            Embedding.lookup(config, source, tokens.window(window), windows[window]);
        }
        return new HiddenStates(config, length, windows);
    }

    int count() {
        return windows.length;
    }

    /** Tokens in a window. */
    int length() {
        return length;
    }

    /** The states {@code [length, hiddenSize]} of a window; to write to them is to change them. */
    float[] window(int index) {
        return windows[index];
    }

    /** Puts every window through half a layer. */
    void advance(DecoderLayer layer, Half half) {
        for (float[] window : windows) {
            half.run(config, layer, window, length, ActivationListener.NONE);
        }
    }

    /** The two blocks of a layer, each with an input of its own and one inside. */
    enum Half {
        ATTENTION {
            @Override
            void run(ModelConfig config, DecoderLayer layer, float[] hidden, int tokens, ActivationListener listener) {
                layer.attend(hidden, tokens, LayerCache.create(config, tokens), listener);
            }

            @Override
            float[] input(DecoderLayer layer, float[] hidden, int tokens) {
                return layer.attentionInput(hidden, tokens);
            }
        },
        FEED_FORWARD {
            @Override
            void run(ModelConfig config, DecoderLayer layer, float[] hidden, int tokens, ActivationListener listener) {
                layer.feedForward(hidden, tokens, listener);
            }

            @Override
            float[] input(DecoderLayer layer, float[] hidden, int tokens) {
                return layer.feedForwardInput(hidden, tokens);
            }
        };

        /** Replaces {@code hidden [tokens, hiddenSize]}, a window from its start, by what it becomes. */
        abstract void run(
                ModelConfig config, DecoderLayer layer, float[] hidden, int tokens, ActivationListener listener);

        /** What the block's first projections see. */
        abstract float[] input(DecoderLayer layer, float[] hidden, int tokens);
    }
}
