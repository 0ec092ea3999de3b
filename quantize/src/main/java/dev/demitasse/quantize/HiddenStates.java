package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.ActivationListener;
import dev.demitasse.infer.DecoderLayer;
import dev.demitasse.infer.Embedding;
import dev.demitasse.infer.ResidualStream;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;

/** The residual stream of all calibration windows between two layers: {@code windows × [length, hiddenSize]}. */
final class HiddenStates {
    private final int length;
    private final ResidualStream[] windows;

    private HiddenStates(int length, ResidualStream[] windows) {
        this.length = length;
        this.windows = windows;
    }

    /** What enters the first layer. */
    static HiddenStates embed(ModelConfig config, WeightSource source, TokenWindows tokens) {
        int length = tokens.length();
        ResidualStream[] windows = new ResidualStream[tokens.count()];
        for (int window = 0; window < windows.length; window++) {
            float[] hidden = new float[Math.multiplyExact(length, config.hiddenSize())];
            Embedding.lookup(config, source, tokens.window(window), hidden);
            windows[window] = ResidualStream.of(hidden, length);
        }
        return new HiddenStates(length, windows);
    }

    int count() {
        return windows.length;
    }

    /** Tokens in a window. */
    int length() {
        return length;
    }

    /** A window's states {@code [length, hiddenSize]}; to write to them is to change them. */
    ResidualStream window(int index) {
        return windows[index];
    }

    /** Puts every window through a layer's feed-forward block. */
    void feedForward(DecoderLayer layer) {
        for (ResidualStream window : windows) {
            layer.feedForward(window, ActivationListener.NONE);
        }
    }

    /** The two blocks of a layer, each with an input of its own and one inside, which the last projection sees. */
    enum Half {
        ATTENTION {
            @Override
            float[] input(DecoderLayer layer, ResidualStream stream) {
                return layer.attentionInput(stream);
            }

            @Override
            float[] inner(DecoderLayer layer, ResidualStream stream) {
                return layer.attentionContext(stream, layer.newCache(stream.tokens()), ActivationListener.NONE);
            }

            @Override
            void complete(DecoderLayer layer, ResidualStream stream, float[] inner) {
                layer.addAttention(stream, inner);
            }
        },
        FEED_FORWARD {
            @Override
            float[] input(DecoderLayer layer, ResidualStream stream) {
                return layer.feedForwardInput(stream);
            }

            @Override
            float[] inner(DecoderLayer layer, ResidualStream stream) {
                return layer.neurons(stream, ActivationListener.NONE);
            }

            @Override
            void complete(DecoderLayer layer, ResidualStream stream, float[] inner) {
                layer.addNeurons(stream, inner);
            }
        };

        /** What the block's first projections see; for reading. */
        abstract float[] input(DecoderLayer layer, ResidualStream stream);

        /** What the block's last projection sees of a stream, which is left as it is until {@link #complete}. */
        abstract float[] inner(DecoderLayer layer, ResidualStream stream);

        /** Adds the last projection of {@code inner} to the stream. */
        abstract void complete(DecoderLayer layer, ResidualStream stream, float[] inner);
    }
}
