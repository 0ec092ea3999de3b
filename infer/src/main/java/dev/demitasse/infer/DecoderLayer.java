package dev.demitasse.infer;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.linear.Linear;
import dev.demitasse.infer.linear.LinearInput;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Attention;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;

/**
 * One layer of a decoder: h += attention(norm(h)), h += feedForward(norm(h)). The weights are views of what the source
 * gives; the layer holds nothing else. Safe for use by several threads, each with a cache of its own.
 */
public final class DecoderLayer {
    private final ModelConfig config;
    private final Workers workers;
    private final RotaryTable rotary;
    private final RmsNorm attentionNorm;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear attentionOutput;
    private final RmsNorm feedForwardNorm;
    private final Linear gate;
    private final Linear up;
    private final Linear down;

    private DecoderLayer(ModelConfig config, WeightSource source, int layer, Workers workers, RotaryTable rotary) {
        this.config = config;
        this.workers = workers;
        this.rotary = rotary;
        this.attentionNorm = RmsNorm.load(config, source, TensorKey.weight(Role.ATTENTION_NORM, layer));
        this.query = Linear.load(config, source, Role.QUERY, layer);
        this.key = Linear.load(config, source, Role.KEY, layer);
        this.value = Linear.load(config, source, Role.VALUE, layer);
        this.attentionOutput = Linear.load(config, source, Role.ATTENTION_OUTPUT, layer);
        this.feedForwardNorm = RmsNorm.load(config, source, TensorKey.weight(Role.FEED_FORWARD_NORM, layer));
        this.gate = Linear.load(config, source, Role.GATE, layer);
        this.up = Linear.load(config, source, Role.UP, layer);
        this.down = Linear.load(config, source, Role.DOWN, layer);
    }

    /** Layer {@code layer} of the model, computed on the JVM's common pool. */
    public static DecoderLayer load(ModelConfig config, WeightSource source, int layer) {
        return load(config, source, layer, Workers.COMMON, rotaryTable(config));
    }

    /** Layer {@code layer} of the model, computed by {@code workers}, sharing {@code rotary} with the other layers. */
    static DecoderLayer load(ModelConfig config, WeightSource source, int layer, Workers workers, RotaryTable rotary) {
        return new DecoderLayer(config, source, layer, workers, rotary);
    }

    static RotaryTable rotaryTable(ModelConfig config) {
        return switch (config.positions()) {
            case Positions.Rotary positions -> new RotaryTable(positions);
            case Positions.None none -> throw new IllegalArgumentException("no positions");
            case Positions.Alibi alibi -> throw new IllegalArgumentException("alibi");
        };
    }

    /**
     * Runs {@code tokens} tokens that follow the cache's, and appends their keys and values to it.
     *
     * @param hidden {@code [tokens, hiddenSize]}, replaced by the layer's output
     */
    public void forward(float[] hidden, int tokens, LayerCache cache, ActivationListener listener) {
        attend(hidden, tokens, cache, listener);
        feedForward(hidden, tokens, listener);
    }

    /** What the query, key and value projections see: {@code hidden [tokens, hiddenSize]}, normalized, in a new array. */
    public float[] attentionInput(float[] hidden, int tokens) {
        return attentionNorm.apply(hidden, tokens, workers);
    }

    /** What the gate and up projections see: {@code hidden [tokens, hiddenSize]}, normalized, in a new array. */
    public float[] feedForwardInput(float[] hidden, int tokens) {
        return feedForwardNorm.apply(hidden, tokens, workers);
    }

    /** The first half of {@link #forward}: h += attention(norm(h)). */
    public void attend(float[] hidden, int tokens, LayerCache cache, ActivationListener listener) {
        Attention attention = config.attention();
        float[] normed = attentionInput(hidden, tokens);
        listener.onInput(Role.QUERY, normed, tokens, config.hiddenSize());
        LinearInput input = new LinearInput(normed, tokens, config.hiddenSize());
        float[] queries = multiply(query, input);
        float[] keys = multiply(key, input);
        float[] values = multiply(value, input);
        int dimension = attention.headDimension();
        rotary.rotate(queries, tokens, cache.position(), attention.heads(), dimension, workers);
        rotary.rotate(keys, tokens, cache.position(), attention.keyValueHeads(), dimension, workers);
        cache.append(keys, values, tokens);
        float[] attended = new float[queries.length];
        SelfAttention.attend(attention, queries, tokens, cache, attended, workers);
        listener.onInput(Role.ATTENTION_OUTPUT, attended, tokens, attention.queryWidth());
        addTo(hidden, attentionOutput, new LinearInput(attended, tokens, attention.queryWidth()));
    }

    /** The second half of {@link #forward}: h += feedForward(norm(h)). */
    public void feedForward(float[] hidden, int tokens, ActivationListener listener) {
        FeedForward feedForward = config.feedForward();
        float[] normed = feedForwardInput(hidden, tokens);
        listener.onInput(Role.GATE, normed, tokens, config.hiddenSize());
        LinearInput input = new LinearInput(normed, tokens, config.hiddenSize());
        float[] gates = multiply(gate, input);
        float[] ups = multiply(up, input);
        int width = feedForward.intermediateSize();
        workers.worth((long) tokens * width * 16).run(tokens, token -> {
            switch (feedForward.activation()) {
                case SILU -> Elementwise.gatedSilu(gates, ups, token * width, width);
                case GELU, GELU_TANH, RELU -> throw new IllegalArgumentException("activation");
            }
        });
        listener.onInput(Role.DOWN, gates, tokens, width);
        addTo(hidden, down, new LinearInput(gates, tokens, width));
    }

    private float[] multiply(Linear linear, LinearInput input) {
        float[] output = new float[Math.multiplyExact(input.tokens(), linear.outputs())];
        linear.multiply(input, output, workers);
        return output;
    }

    private void addTo(float[] hidden, Linear linear, LinearInput input) {
        Elementwise.add(multiply(linear, input), hidden, 0, input.tokens() * linear.outputs());
    }
}
