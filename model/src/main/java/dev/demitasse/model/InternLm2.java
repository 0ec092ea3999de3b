package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Place.Order;
import dev.demitasse.model.Positions.Pairing;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** InternLM2: Llama with query, key and value fused by groups (arXiv:2403.17297 §2.2). */
final class InternLm2 implements Family {
    @Override
    public String id() {
        return "internlm2";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("InternLM2ForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        String layer = "model.layers.{i}.";
        return Llama.layout(config)
                .module(Role.EMBEDDING, "model.tok_embeddings", "token_embd")
                .module(Role.ATTENTION_NORM, layer + "attention_norm", "blk.{i}.attn_norm")
                .huggingFace(Place.fused(layer + "attention.wqkv", Order.GROUPED, Role.QUERY, Role.KEY, Role.VALUE))
                .module(Role.ATTENTION_OUTPUT, layer + "attention.wo", "blk.{i}.attn_output")
                .module(Role.FEED_FORWARD_NORM, layer + "ffn_norm", "blk.{i}.ffn_norm")
                .module(Role.GATE, layer + "feed_forward.w1", "blk.{i}.ffn_gate")
                .module(Role.UP, layer + "feed_forward.w3", "blk.{i}.ffn_up")
                .module(Role.DOWN, layer + "feed_forward.w2", "blk.{i}.ffn_down")
                .module(Role.HEAD, "output", "output");
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        return Llama.near(this, json)
                .attention(ConfigKeys.attention(json)
                        .withBiases(json.flag("bias", true) ? Attention.PROJECTIONS : Set.of()))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = ConfigKeys.write(config, Map.of())
                .put("bias", !config.attention().biases().isEmpty());
        json.remove("head_dim");
        return json;
    }

    @Override
    public Pairing ggufPairing() {
        return Pairing.INTERLEAVED;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("internlm2");
    }

    @Override
    public Optional<String> beyondLlamaCpp(ModelConfig config) {
        return config.attention().biases().contains(Role.ATTENTION_OUTPUT)
                ? Optional.of("llama.cpp knows no bias of this architecture's attention output")
                : Optional.empty();
    }
}
