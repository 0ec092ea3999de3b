package dev.demitasse.model;

import dev.demitasse.model.Positions.Rotary;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** Collects a {@link ModelConfig}. What is not said is as in Llama; sizes must be said. */
public final class ModelConfigBuilder {
    private final Family family;
    private int vocabularySize;
    private int hiddenSize;
    private int layers;
    private @Nullable InputEmbedding embedding;
    private @Nullable List<Block> blocks;
    private @Nullable IntFunction<Attention> attention;
    private @Nullable IntFunction<FeedForward> feedForward;
    private @Nullable IntFunction<Positions> positions;
    private Residual residual = Residual.PRE_NORM;
    private double residualScale = 1;
    private Norm norm = new Norm.Rms(1e-6);
    private Head head = Head.plain(false);
    private boolean causal = true;
    private int maximumPositions = 2048;
    private SpecialTokens specialTokens = new SpecialTokens(OptionalInt.empty(), List.of(), OptionalInt.empty());

    ModelConfigBuilder(Family family) {
        this.family = family;
    }

    ModelConfigBuilder(ModelConfig config) {
        family = config.family();
        vocabularySize = config.vocabularySize();
        hiddenSize = config.hiddenSize();
        layers = config.layers();
        embedding = config.embedding();
        blocks = config.blocks();
        residual = config.residual();
        residualScale = config.residualScale();
        norm = config.norm();
        head = config.head();
        causal = config.causal();
        maximumPositions = config.maximumPositions();
        specialTokens = config.specialTokens();
    }

    public ModelConfigBuilder vocabularySize(int size) {
        vocabularySize = size;
        return this;
    }

    public ModelConfigBuilder hiddenSize(int size) {
        hiddenSize = size;
        return this;
    }

    public ModelConfigBuilder layers(int count) {
        layers = count;
        return this;
    }

    /** By default rows as wide as the residual stream, as they are. */
    public ModelConfigBuilder embedding(InputEmbedding other) {
        embedding = other;
        return this;
    }

    /** The same attention in every layer. */
    public ModelConfigBuilder attention(Attention all) {
        return attention(layer -> all);
    }

    public ModelConfigBuilder attention(IntFunction<Attention> byLayer) {
        attention = byLayer;
        return this;
    }

    /** The same feed-forward block in every layer. */
    public ModelConfigBuilder feedForward(FeedForward all) {
        return feedForward(layer -> all);
    }

    public ModelConfigBuilder feedForward(IntFunction<FeedForward> byLayer) {
        feedForward = byLayer;
        return this;
    }

    /** The same positions in every layer; rotary over the whole head, base 10,000, if nothing is said. */
    public ModelConfigBuilder positions(Positions all) {
        return positions(layer -> all);
    }

    public ModelConfigBuilder positions(IntFunction<Positions> byLayer) {
        positions = byLayer;
        return this;
    }

    /** Every layer, in place of attention, feed-forward block and positions. */
    public ModelConfigBuilder blocks(List<Block> all) {
        blocks = all;
        return this;
    }

    public ModelConfigBuilder residual(Residual form) {
        residual = form;
        return this;
    }

    public ModelConfigBuilder residualScale(double scale) {
        residualScale = scale;
        return this;
    }

    public ModelConfigBuilder norm(Norm other) {
        norm = other;
        return this;
    }

    public ModelConfigBuilder head(Head other) {
        head = other;
        return this;
    }

    public ModelConfigBuilder causal(boolean other) {
        causal = other;
        return this;
    }

    public ModelConfigBuilder maximumPositions(int count) {
        maximumPositions = count;
        return this;
    }

    public ModelConfigBuilder specialTokens(SpecialTokens tokens) {
        specialTokens = tokens;
        return this;
    }

    /** @throws IllegalArgumentException if sizes are missing or do not fit each other */
    public ModelConfig build() {
        return new ModelConfig(
                family,
                vocabularySize,
                hiddenSize,
                embedding != null ? embedding : InputEmbedding.plain(hiddenSize),
                blocks != null ? blocks : allBlocks(),
                residual,
                residualScale,
                norm,
                head,
                causal,
                maximumPositions,
                specialTokens);
    }

    private List<Block> allBlocks() {
        if (attention == null || feedForward == null) {
            throw new IllegalArgumentException("attention and feed-forward block are missing");
        }
        if (layers > ModelConfig.MAXIMUM_LAYERS) {
            throw new IllegalArgumentException("%,d layers, over %,d".formatted(layers, ModelConfig.MAXIMUM_LAYERS));
        }
        List<Block> all = new ArrayList<>();
        for (int layer = 0; layer < layers; layer++) {
            Attention each = attention.apply(layer);
            Positions entering = positions != null ? positions.apply(layer) : Rotary.of(each.headDimension(), 10_000);
            Block block = new Block(each, feedForward.apply(layer), entering);
            // Layers that are equal are one object: a file may claim thousands of them.
            all.add(layer > 0 && all.getLast().equals(block) ? all.getLast() : block);
        }
        return all;
    }
}
