package dev.demitasse.prune;

import dev.demitasse.infer.ActivationListener;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;

/** Sums the responses of one layer's parts while windows of text run through it. */
final class LayerResponses implements ActivationListener {
    private final ModelConfig config;
    private final Scores scores;
    private final int layer;
    private final NormWeights attentionNorm;
    private final NormWeights feedForwardNorm;

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

    /**
     * @param attentionNorm of the norm before attention
     * @param feedForwardNorm of the norm before the feed-forward block
     */
    LayerResponses(
            ModelConfig config, Scores scores, int layer, NormWeights attentionNorm, NormWeights feedForwardNorm) {
        this.config = config;
        this.scores = scores;
        this.layer = layer;
        this.attentionNorm = attentionNorm;
        this.feedForwardNorm = feedForwardNorm;
        this.neurons = new Response(config.feedForward(layer).intermediateSize());
        this.groups = new Response(config.attention(layer).keyValueHeads());
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
            case SHARED_GATE -> addMagnitudes(feedForwardChannels, input, tokens, width);
            // Experts are kept whole.
            default -> {}
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
        int headWidth = config.attention(layer).headDimension();
        int groupSize = config.attention(layer).groupSize();
        for (int token = 0; token < tokens; token++) {
            for (int head = 0; head < config.attention(layer).heads(); head++) {
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
     * Adds each channel's part of the mean square to {@code energy}: y = x / rms(x) · w + b, so ((y − b)/w)² = x² / rms(x)².
     * A channel with weight 0 hides what it was; it counts as 0.
     */
    private static void addEnergy(float[] output, int tokens, NormWeights norm, double[] energy) {
        float[] weight = norm.weight();
        float[] bias = norm.bias();
        for (int token = 0; token < tokens; token++) {
            for (int i = 0; i < weight.length; i++) {
                if (weight[i] != 0) {
                    double normalised = (output[token * weight.length + i] - bias[i]) / weight[i];
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
