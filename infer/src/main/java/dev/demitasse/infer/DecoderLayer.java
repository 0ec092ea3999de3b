package dev.demitasse.infer;

import dev.demitasse.infer.attention.CacheType;
import dev.demitasse.infer.attention.LayerCache;
import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.linear.Projections;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Residual;
import dev.demitasse.model.Role;
import java.util.Optional;

/**
 * One layer: attention, then the feed-forward block, each added to the residual stream h as {@link Residual} says. The
 * weights are views of what the source gives; the layer holds nothing else. Safe for use by several threads, each with a
 * stream and a cache of its own.
 */
public final class DecoderLayer {
    /** Numbers added to the residual stream in one part of the work. */
    private static final int ADDED_A_PART = 1 << 14;

    private final ModelConfig config;
    private final Workers workers;
    private final Residual residual;
    private final int layer;
    private final Optional<Normalization> attentionNorm;
    private final SelfAttention attention;
    private final Optional<Normalization> attentionPostNorm;
    private final Optional<Normalization> feedForwardNorm;
    private final FeedForwardBlock feedForward;
    private final Optional<Normalization> feedForwardPostNorm;

    private DecoderLayer(ModelConfig config, Projections source, int layer, Workers workers, SharedTables tables) {
        this.config = config;
        this.workers = workers;
        this.residual = config.residual();
        this.layer = layer;
        this.attentionNorm = norm(source, Role.ATTENTION_NORM);
        this.attention = SelfAttention.load(config, source, layer, workers, tables);
        this.attentionPostNorm = norm(source, Role.ATTENTION_POST_NORM);
        this.feedForwardNorm = norm(source, Role.FEED_FORWARD_NORM);
        this.feedForward = FeedForwardBlock.load(config, source, layer, workers);
        this.feedForwardPostNorm = norm(source, Role.FEED_FORWARD_POST_NORM);
    }

    private Optional<Normalization> norm(WeightSource source, Role role) {
        return residual.has(role) ? Optional.of(Normalization.load(config, source, role, layer)) : Optional.empty();
    }

    /** Layer {@code layer} of the model, computed on the JVM's common pool. */
    public static DecoderLayer load(ModelConfig config, WeightSource source, int layer) {
        return load(config, Projections.exact(config, source), layer, Workers.COMMON, new SharedTables());
    }

    /** Layer {@code layer} of the model, computed by {@code workers}, sharing {@code tables} with the other layers. */
    static DecoderLayer load(ModelConfig config, Projections source, int layer, Workers workers, SharedTables tables) {
        return new DecoderLayer(config, source, layer, workers, tables);
    }

    /** An empty cache of this layer for up to {@code capacity} positions. */
    public LayerCache newCache(int capacity) {
        return newCache(capacity, CacheType.F32);
    }

    /** An empty cache of this layer for up to {@code capacity} positions, kept as {@code type}. */
    LayerCache newCache(int capacity, CacheType type) {
        return LayerCache.create(config.attention(layer), capacity, type);
    }

    /**
     * Runs {@code tokens} tokens that follow the cache's, and appends their keys and values to it.
     *
     * @param hidden {@code [tokens, hiddenSize]}, replaced by the layer's output
     */
    public void forward(float[] hidden, int tokens, LayerCache cache, ActivationListener listener) {
        forward(ResidualStream.of(hidden, tokens), cache, listener);
    }

    /** Runs the tokens of {@code stream}, which follow the cache's, and appends their keys and values to it. */
    public void forward(ResidualStream stream, LayerCache cache, ActivationListener listener) {
        attend(stream, cache, listener);
        feedForward(stream, listener);
    }

    /**
     * What the query, key and value projections see, {@code [tokens, hiddenSize]}: for reading, it may be the stream
     * itself.
     */
    public float[] attentionInput(ResidualStream stream) {
        return normalized(attentionNorm, stream);
    }

    /**
     * What the feed-forward block sees, {@code [tokens, hiddenSize]}, of a stream that has been through {@link #attend}:
     * for reading, it may be the stream itself.
     */
    public float[] feedForwardInput(ResidualStream stream) {
        float[] kept = stream.feedForwardInput();
        return kept != null ? kept : normalized(feedForwardNorm, stream);
    }

    private float[] normalized(Optional<Normalization> norm, ResidualStream stream) {
        return norm.isPresent() ? norm.get().apply(stream.hidden(), stream.tokens(), workers) : stream.hidden();
    }

    /** The first half of {@link #forward}: adds what attention gives. */
    public void attend(ResidualStream stream, LayerCache cache, ActivationListener listener) {
        addAttention(stream, attentionContext(stream, cache, listener));
    }

    /**
     * What attention's output projection sees, {@code [tokens, heads · headDimension]}, in a new array: the first part of
     * {@link #attend}, which {@link #addAttention} completes. Until then the stream holds what it held.
     */
    public float[] attentionContext(ResidualStream stream, LayerCache cache, ActivationListener listener) {
        float[] input = attentionInput(stream);
        switch (residual) {
            case PARALLEL -> stream.keepFeedForwardInput(input);
            case PARALLEL_TWO_NORMS -> stream.keepFeedForwardInput(normalized(feedForwardNorm, stream));
            case PRE_NORM, POST_NORM, OUTPUT_NORM, SANDWICH_NORM -> {}
        }
        return attention.context(input, stream.tokens(), stream.attended(), cache, listener);
    }

    /** Adds the output projection of {@code context}. */
    public void addAttention(ResidualStream stream, float[] context) {
        add(attention.project(context, stream.tokens()), stream, attentionPostNorm);
    }

    /** The second half of {@link #forward}: adds what the feed-forward block gives. */
    public void feedForward(ResidualStream stream, ActivationListener listener) {
        float[] output = feedForward.apply(feedForwardInput(stream), stream.tokens(), listener);
        stream.endLayer();
        add(output, stream, feedForwardPostNorm);
    }

    /**
     * What the last projection of a feed-forward block without experts sees, {@code [tokens, intermediateSize]}, in a new
     * array: the first part of {@link #feedForward}, which {@link #addNeurons} completes.
     */
    public float[] neurons(ResidualStream stream, ActivationListener listener) {
        return dense().neurons(feedForwardInput(stream), stream.tokens(), listener);
    }

    /** Adds the last projection of {@code neurons}. */
    public void addNeurons(ResidualStream stream, float[] neurons) {
        float[] output = dense().project(neurons, stream.tokens());
        stream.endLayer();
        add(output, stream, feedForwardPostNorm);
    }

    private FeedForwardBlock.Dense dense() {
        return switch (feedForward) {
            case FeedForwardBlock.Dense dense -> dense;
            case ExpertMixture experts ->
                throw new IllegalStateException("layer " + layer + " is a mixture of experts");
        };
    }

    /** Adds a block's {@code output [tokens, hiddenSize]}, which is overwritten, to the stream, normalized where due. */
    private void add(float[] output, ResidualStream stream, Optional<Normalization> postNorm) {
        int count = stream.tokens() * config.hiddenSize();
        boolean normalizesOutput = residual == Residual.OUTPUT_NORM || residual == Residual.SANDWICH_NORM;
        if (normalizesOutput && postNorm.isPresent()) {
            postNorm.get().replace(output, stream.tokens(), workers);
        }
        float scale = (float) config.residualScale();
        int parts = Math.ceilDiv(count, ADDED_A_PART);
        workers.worth(4L * count).run(parts, part -> {
            int at = part * ADDED_A_PART;
            int size = Math.min(ADDED_A_PART, count - at);
            if (scale == 1) {
                Elementwise.add(output, stream.hidden(), at, size);
            } else {
                Elementwise.addScaled(output, at, scale, stream.hidden(), at, size);
            }
        });
        if (!normalizesOutput && postNorm.isPresent()) {
            postNorm.get().replace(stream.hidden(), stream.tokens(), workers);
        }
    }
}
