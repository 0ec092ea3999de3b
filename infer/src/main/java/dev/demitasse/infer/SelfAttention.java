package dev.demitasse.infer;

import dev.demitasse.infer.attention.AttentionHeads;
import dev.demitasse.infer.attention.LayerCache;
import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.linear.Linear;
import dev.demitasse.infer.linear.LinearInput;
import dev.demitasse.infer.linear.Projections;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Attention;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.Optional;

/** A layer's self-attention: projections, their norms, positions, {@link AttentionHeads}, the output projection. */
final class SelfAttention {
    private final Attention attention;
    private final TensorKey queryKey;
    private final TensorKey outputKey;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear output;
    private final Optional<Normalization> queryNorm;
    private final Optional<Normalization> keyNorm;
    private final Optional<RotaryTable> rotary;
    private final AttentionHeads heads;
    private final Workers workers;

    private SelfAttention(ModelConfig config, Projections source, int layer, Workers workers, SharedTables tables) {
        this.attention = config.attention(layer);
        this.queryKey = TensorKey.weight(Role.QUERY, layer);
        this.outputKey = TensorKey.weight(Role.ATTENTION_OUTPUT, layer);
        this.query = source.linear(queryKey);
        this.key = source.linear(Role.KEY, layer);
        this.value = source.linear(Role.VALUE, layer);
        this.output = source.linear(outputKey);
        this.queryNorm =
                attention.queryKeyNorm().map(norm -> Normalization.ofHeads(config, source, Role.QUERY_NORM, layer));
        this.keyNorm =
                attention.queryKeyNorm().map(norm -> Normalization.ofHeads(config, source, Role.KEY_NORM, layer));
        this.rotary = switch (config.positions(layer)) {
            case Positions.Rotary positions -> Optional.of(tables.rotary(positions));
            case Positions.None none -> Optional.empty();
            case Positions.Alibi alibi -> Optional.empty();
        };
        this.heads = new AttentionHeads(attention, config.positions(layer), config.causal(), workers, tables.tiles());
        this.workers = workers;
    }

    static SelfAttention load(ModelConfig config, Projections source, int layer, Workers workers, SharedTables tables) {
        return new SelfAttention(config, source, layer, workers, tables);
    }

    /**
     * What the output projection sees for {@code input [tokens, hiddenSize]}, which is only read: {@code [tokens, heads ·
     * headDimension]}, in a new array. The tokens follow the cache's, and their keys and values are appended to it.
     *
     * @param attended which of the cache's positions with those of the tokens may be seen; empty if all
     */
    float[] context(float[] input, int tokens, boolean[] attended, LayerCache cache, ActivationListener listener) {
        listener.onInput(queryKey, input, tokens, query.inputs());
        LinearInput shared = new LinearInput(input, tokens, query.inputs());
        float[] queries = query.multiply(shared, workers);
        float[] keys = key.multiply(shared, workers);
        float[] values = value.multiply(shared, workers);
        queryNorm.ifPresent(norm -> norm.replace(queries, queries.length / norm.width(), workers));
        keyNorm.ifPresent(norm -> norm.replace(keys, keys.length / norm.width(), workers));
        if (attention.clip().isPresent()) {
            float bound = (float) attention.clip().getAsDouble();
            Elementwise.clip(queries, 0, queries.length, bound);
            Elementwise.clip(keys, 0, keys.length, bound);
            Elementwise.clip(values, 0, values.length, bound);
        }
        if (rotary.isPresent()) {
            RotaryTable table = rotary.get();
            int dimension = attention.headDimension();
            table.rotate(queries, tokens, cache.position(), attention.heads(), dimension, workers);
            table.rotate(keys, tokens, cache.position(), attention.keyValueHeads(), dimension, workers);
        }
        float[] seen = heads.attend(queries, keys, values, tokens, cache, attended);
        listener.onInput(outputKey, seen, tokens, output.inputs());
        return seen;
    }

    /** The output projection of what {@link #context} gave, {@code [tokens, hiddenSize]}, in a new array. */
    float[] project(float[] context, int tokens) {
        return output.multiply(new LinearInput(context, tokens, output.inputs()), workers);
    }
}
