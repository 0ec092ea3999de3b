package dev.demitasse.prune;

import dev.demitasse.infer.ActivationListener;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;

/** Sums the responses of one layer's parts while windows of text run through it. */
final class LayerResponses implements ActivationListener {
    private final ModelConfig config;
    private final Scores scores;
    private final int layer;
    private final float[] attentionNorm;
    private final float[] feedForwardNorm;

    private final Response neurons;
    private final Response groups;
    private final Response attentionChannels;
    private final Response feedForwardChannels;

    /** Means over a window's tokens; over windows, their squares. */
    private static final class Response {
        final double[] window;
        final double[] squares;
        int tokens;

        Response(int parts) {
            window = new double[parts];
            squares = new double[parts];
        }

        void endWindow() {
            for (int i = 0; i < window.length; i++) {
                double mean = window[i] / Math.max(1, tokens);
                squares[i] += mean * mean;
                window[i] = 0;
            }
            tokens = 0;
        }

        void addTo(double[] target) {
            for (int i = 0; i < target.length; i++) {
                target[i] += Math.sqrt(squares[i]);
            }
        }
    }

    /** @param normWeights of the attention norm and the feed-forward norm, {@code [2, hidden]} */
    LayerResponses(ModelConfig config, Scores scores, int layer, float[][] normWeights) {
        this.config = config;
        this.scores = scores;
        this.layer = layer;
        this.attentionNorm = normWeights[0];
        this.feedForwardNorm = normWeights[1];
        this.neurons = new Response(config.feedForward().intermediateSize());
        this.groups = new Response(config.attention().keyValueHeads());
        this.attentionChannels = new Response(config.hiddenSize());
        this.feedForwardChannels = new Response(config.hiddenSize());
    }

    @Override
    public void onInput(TensorKey projection, float[] input, int tokens, int width) {
        switch (projection.role()) {
            case QUERY -> {
                addMagnitudes(attentionChannels, input, tokens, width);
                addEnergy(input, tokens, attentionNorm, scores.channelEnergy()[Scores.attentionNorm(layer)]);
            }
            case GATE, UP -> {
                addMagnitudes(feedForwardChannels, input, tokens, width);
                addEnergy(input, tokens, feedForwardNorm, scores.channelEnergy()[Scores.feedForwardNorm(layer)]);
            }
            case ATTENTION_OUTPUT -> addHeads(input, tokens, width);
            case DOWN -> addMagnitudes(neurons, input, tokens, width);
            default -> throw new IllegalArgumentException("no responses are kept of " + projection);
        }
    }

    private static void addMagnitudes(Response response, float[] input, int tokens, int width) {
        for (int token = 0; token < tokens; token++) {
            for (int i = 0; i < width; i++) {
                response.window[i] += Math.abs(input[token * width + i]);
            }
        }
        response.tokens += tokens;
    }

    /** The norms of the heads' outputs, {@code input [tokens, heads · headDimension]}. */
    private void addHeads(float[] input, int tokens, int width) {
        int headWidth = config.attention().headDimension();
        int groupSize = config.attention().groupSize();
        for (int token = 0; token < tokens; token++) {
            for (int head = 0; head < config.attention().heads(); head++) {
                int start = token * width + head * headWidth;
                double squares = 0;
                for (int i = start; i < start + headWidth; i++) {
                    squares += (double) input[i] * input[i];
                }
                groups.window[head / groupSize] += Math.sqrt(squares);
            }
        }
        groups.tokens += tokens;
    }

    /**
     * Adds each channel's part of the mean square to {@code energy}: y = x / rms(x) · w, so (y/w)² = x² / rms(x)². A
     * channel with weight 0 hides what it was; it counts as 0.
     */
    private static void addEnergy(float[] output, int tokens, float[] weight, double[] energy) {
        for (int token = 0; token < tokens; token++) {
            for (int i = 0; i < weight.length; i++) {
                if (weight[i] != 0) {
                    double normalised = output[token * weight.length + i] / weight[i];
                    energy[i] += normalised * normalised;
                }
            }
        }
    }

    void endWindow() {
        neurons.endWindow();
        groups.endWindow();
        attentionChannels.endWindow();
        feedForwardChannels.endWindow();
    }

    /** Turns what was summed into the layer's scores. */
    void finish() {
        neurons.addTo(scores.neurons()[layer]);
        groups.addTo(scores.groups()[layer]);
        attentionChannels.addTo(scores.channels());
        feedForwardChannels.addTo(scores.channels());
    }
}
