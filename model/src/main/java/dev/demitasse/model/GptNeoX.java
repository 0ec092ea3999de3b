package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Place.Order;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * GPT-NeoX and Pythia (arXiv:2204.06745 §2.1): attention and feed-forward block side by side, each after a norm of its
 * own, or one after the other; rotary positions over a part of each head.
 */
final class GptNeoX implements Family {
    @Override
    public String id() {
        return "gpt_neox";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("GPTNeoXForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return new TensorNames(config)
                .module(Role.EMBEDDING, "gpt_neox.embed_in", "token_embd")
                .module(Role.ATTENTION_NORM, "gpt_neox.layers.{i}.input_layernorm", "blk.{i}.attn_norm")
                .huggingFace(Place.fused(
                        "gpt_neox.layers.{i}.attention.query_key_value",
                        Order.GROUPED,
                        Role.QUERY,
                        Role.KEY,
                        Role.VALUE))
                .gguf(Place.fused("blk.{i}.attn_qkv", Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .module(Role.ATTENTION_OUTPUT, "gpt_neox.layers.{i}.attention.dense", "blk.{i}.attn_output")
                .module(Role.FEED_FORWARD_NORM, "gpt_neox.layers.{i}.post_attention_layernorm", "blk.{i}.ffn_norm")
                .module(Role.UP, "gpt_neox.layers.{i}.mlp.dense_h_to_4h", "blk.{i}.ffn_up")
                .module(Role.DOWN, "gpt_neox.layers.{i}.mlp.dense_4h_to_h", "blk.{i}.ffn_down")
                .module(Role.FINAL_NORM, "gpt_neox.final_layer_norm", "output_norm")
                .module(Role.HEAD, "embed_out", "output");
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Attention attention = GptKeys.attention(json).withBiases(ConfigKeys.biases(json, true));
        double part = json.number("rotary_pct", json.number("partial_rotary_factor", 0.25));
        ConfigJson rope = json.has("rope_theta") ? json : json.renamed(Map.of("rope_theta", "rotary_emb_base"));
        return GptKeys.near(this, json, 2048, "gelu", false)
                .feedForward(FeedForward.plain(
                        json.size("intermediate_size", 24_576),
                        ConfigKeys.activation(json, "hidden_act", "gelu"),
                        true))
                .attention(attention)
                .positions(ConfigKeys.rotary(this, rope, (int) (attention.headDimension() * part)))
                .residual(residual(json.flag("use_parallel_residual", true)))
                .build();
    }

    private static Residual residual(boolean parallel) {
        return parallel ? Residual.PARALLEL_TWO_NORMS : Residual.PRE_NORM;
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        Positions.Rotary rotary = (Positions.Rotary) config.positions();
        double part = (double) rotary.dimensions() / config.attention().headDimension();
        return GptKeys.write(config, Map.of())
                .put(ConfigKeys.BIAS, ConfigKeys.biased(config))
                .put("rotary_pct", part)
                .put("partial_rotary_factor", part)
                .put("rotary_emb_base", rotary.base())
                .put("use_parallel_residual", config.residual().parallel())
                .put("hidden_dropout", 0.0)
                .put("classifier_dropout", 0.1);
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("gptneox");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        return keys.withoutGate(Activation.GELU)
                .positions(keys.rotary())
                .residual(residual(keys.flag("use_parallel_residual", true)))
                .build();
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        Map<String, Object> values = GgufKeys.write(config);
        GgufKeys.refuseScales(config);
        GgufKeys.refuse(config, config.attention().biases().isEmpty(), "attention without biases");
        values.put("gptneox.use_parallel_residual", config.residual().parallel());
        return values;
    }
}
