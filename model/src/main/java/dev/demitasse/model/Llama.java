package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Llama 1 to 3 and all that share its code, SmolLM2 and TinyLlama among them (arXiv:2302.13971 §2.2): RMS norms before
 * each block, rotary positions, grouped-query attention, SwiGLU.
 */
final class Llama implements Family {
    @Override
    public String id() {
        return "llama";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("LlamaForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return layout(config);
    }

    /** Llama's names, which many families share. */
    static TensorNames layout(ModelConfig config) {
        return new TensorNames(config)
                .module(Role.EMBEDDING, "model.embed_tokens", "token_embd")
                .module(Role.ATTENTION_NORM, "model.layers.{i}.input_layernorm", "blk.{i}.attn_norm")
                .module(Role.QUERY, "model.layers.{i}.self_attn.q_proj", "blk.{i}.attn_q")
                .module(Role.KEY, "model.layers.{i}.self_attn.k_proj", "blk.{i}.attn_k")
                .module(Role.VALUE, "model.layers.{i}.self_attn.v_proj", "blk.{i}.attn_v")
                .module(Role.ATTENTION_OUTPUT, "model.layers.{i}.self_attn.o_proj", "blk.{i}.attn_output")
                .module(Role.FEED_FORWARD_NORM, "model.layers.{i}.post_attention_layernorm", "blk.{i}.ffn_norm")
                .module(Role.GATE, "model.layers.{i}.mlp.gate_proj", "blk.{i}.ffn_gate")
                .module(Role.UP, "model.layers.{i}.mlp.up_proj", "blk.{i}.ffn_up")
                .module(Role.DOWN, "model.layers.{i}.mlp.down_proj", "blk.{i}.ffn_down")
                .module(Role.FINAL_NORM, "model.norm", "output_norm")
                .module(Role.HEAD, "lm_head", "output");
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Set<Role> biases = ConfigKeys.biases(json, false);
        return near(this, json)
                .attention(ConfigKeys.attention(json).withBiases(biases))
                .feedForward(feedForward(json).withBias(json.flag("mlp_bias", false)))
                .build();
    }

    /** Llama's likes: attention and feed-forward block as usual, which the caller may say otherwise. */
    static ModelConfigBuilder near(Family family, ConfigJson json) {
        Attention attention = ConfigKeys.attention(json);
        return ConfigKeys.sizes(family, json, false)
                .attention(attention)
                .feedForward(feedForward(json))
                .positions(ConfigKeys.rotary(family, json, attention.headDimension()))
                .norm(new Norm.Rms(json.number("rms_norm_eps", 1e-6), family.unitOffset()));
    }

    /** {@code intermediate_size} gated neurons. */
    static FeedForward feedForward(ConfigJson json) {
        return FeedForward.gated(json.size("intermediate_size"), ConfigKeys.activation(json, "hidden_act", "silu"));
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return ConfigKeys.write(config, Map.of())
                .put(ConfigKeys.BIAS, ConfigKeys.biased(config))
                .put("mlp_bias", config.feedForward().bias())
                .put("pretraining_tp", 1);
    }

    @Override
    public Pairing ggufPairing() {
        return Pairing.INTERLEAVED;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("llama");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        if (keys.size("expert_count", 1) > 1) {
            return new Mixtral().readGguf(metadata);
        }
        if (keys.slidingWindow() != Attention.FULL) {
            return new Mistral().readGguf(metadata);
        }
        return keys.config().build();
    }
}
