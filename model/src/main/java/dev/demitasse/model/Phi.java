package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Phi-1, Phi-1.5 and Phi-2: attention and feed-forward block side by side, biases everywhere (arXiv:2306.11644 §2.3). */
final class Phi implements Family {
    @Override
    public String id() {
        return "phi";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("PhiForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        String attention = "model.layers.{i}.self_attn.";
        return Llama.layout(config)
                .module(Role.ATTENTION_OUTPUT, attention + "dense", "blk.{i}.attn_output")
                .module(Role.QUERY_NORM, attention + "q_layernorm", "blk.{i}.attn_q_norm")
                .module(Role.KEY_NORM, attention + "k_layernorm", "blk.{i}.attn_k_norm")
                .gguf(Place.fused("blk.{i}.attn_qkv", Place.Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .module(Role.UP, "model.layers.{i}.mlp.fc1", "blk.{i}.ffn_up")
                .module(Role.DOWN, "model.layers.{i}.mlp.fc2", "blk.{i}.ffn_down")
                .module(Role.FINAL_NORM, "model.final_layernorm", "output_norm");
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Norm norm = new Norm.Layer(json.number("layer_norm_eps", 1e-5));
        Attention attention = ConfigKeys.attention(json)
                .withBiases(Attention.PROJECTIONS)
                .withQueryKeyNorm(
                        json.flag("qk_layernorm", false)
                                ? Optional.of(new QueryKeyNorm(norm, Scope.HEAD))
                                : Optional.empty());
        return ConfigKeys.sizes(this, json, false)
                .attention(attention)
                .feedForward(FeedForward.plain(
                        json.size("intermediate_size"), ConfigKeys.activation(json, "hidden_act", "gelu_new"), true))
                .positions(ConfigKeys.partialRotary(this, json, attention.headDimension(), 0.5))
                .norm(norm)
                .residual(Residual.PARALLEL)
                .head(Head.plain(json.flag("tie_word_embeddings", false)).withBias(true))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = ConfigKeys.write(config, Map.of());
        json.remove("head_dim");
        if (config.feedForward().activation() == Activation.GELU_TANH) {
            json.put("hidden_act", "gelu_new");
        }
        return ConfigKeys.writePartialRotary(config, json)
                .put("qk_layernorm", config.attention().queryKeyNorm().isPresent());
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("phi2");
    }

    @Override
    public Optional<String> beyondLlamaCpp(ModelConfig config) {
        return config.attention().queryKeyNorm().isPresent()
                ? Optional.of("llama.cpp knows no norms of queries and keys in this architecture")
                : Optional.empty();
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        Optional<QueryKeyNorm> norm = Optional.of(new QueryKeyNorm(keys.norm(), Scope.HEAD));
        return keys.config()
                .attention(keys.attentions(attention -> attention.withQueryKeyNorm(norm)))
                .feedForward(keys.feedForwards(Activation.GELU_TANH, false))
                .residual(Residual.PARALLEL)
                .build();
    }
}
