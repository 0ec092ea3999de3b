package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What the config.json of GPT-2 and its followers say alike: layer norms, heads that together are as wide as the residual
 * stream, a feed-forward block without gate, four times as wide if nothing is said.
 */
final class GptKeys {
    /** GPT-2's names of Llama's keys. */
    static final Map<String, String> NAMES = Map.of(
            "hidden_size", "n_embd",
            "num_hidden_layers", "n_layer",
            "num_attention_heads", "n_head",
            "intermediate_size", "n_inner",
            "max_position_embeddings", "n_positions",
            "hidden_act", "activation_function",
            "layer_norm_eps", "layer_norm_epsilon",
            "attention_dropout", "attn_pdrop");

    private GptKeys() {}

    /** Names with some others in place of theirs, or more of them. */
    static Map<String, String> with(Map<String, String> some, Map<String, String> other) {
        Map<String, String> names = new HashMap<>(some);
        names.putAll(other);
        return Map.copyOf(names);
    }

    /**
     * Sizes, attention, feed-forward block and norm; positions are the family's to say.
     *
     * @param json under Llama's names
     * @param positions the longest context if nothing is said
     * @param activation of the feed-forward block, if nothing is said
     */
    static ModelConfigBuilder near(Family family, ConfigJson json, int positions, String activation, boolean tied) {
        int width = json.size("hidden_size");
        return ConfigKeys.sizes(family, json, tied)
                .maximumPositions(json.size("max_position_embeddings", positions))
                .attention(attention(json))
                .feedForward(FeedForward.plain(
                        json.size("intermediate_size", Math.multiplyExact(4, width)),
                        ConfigKeys.activation(json, "hidden_act", activation),
                        true))
                .positions(new Positions.None())
                .norm(new Norm.Layer(json.number("layer_norm_eps", 1e-5)));
    }

    /** Heads that share the width of the residual stream. */
    static Attention attention(ConfigJson json) {
        int heads = json.size("num_attention_heads");
        int width = json.size("hidden_size");
        if (width % heads != 0) {
            throw json.malformed("num_attention_heads", "is %d, which does not divide %d".formatted(heads, width));
        }
        return Attention.of(heads, heads, width / heads);
    }

    /** A table of as many learned positions as the context is long. */
    static InputEmbedding learned(ConfigJson json, int positions) {
        return InputEmbedding.plain(json.size("hidden_size"))
                .withPositions(json.size("max_position_embeddings", positions), 0);
    }

    /** What {@link #near} reads, under the family's names. */
    static ObjectNode write(ModelConfig config, Map<String, String> names) {
        ObjectNode json = ConfigKeys.write(config, names);
        json.put(
                names.getOrDefault("hidden_act", "hidden_act"),
                name(config.feedForward().activation()));
        return json.remove(List.of("num_key_value_heads", "head_dim"));
    }

    /** As {@link ConfigKeys#name}, but for the name that GPT-2 gave its activation. */
    static String name(Activation activation) {
        return activation == Activation.GELU_TANH ? "gelu_new" : ConfigKeys.name(activation);
    }
}
