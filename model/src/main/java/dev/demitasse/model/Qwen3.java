package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Qwen3: Llama with a norm of each query and key head (arXiv:2505.09388 §2). */
final class Qwen3 implements Family {
    @Override
    public String id() {
        return "qwen3";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("Qwen3ForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return layout(config);
    }

    /** Llama's names, and those of query's and key's norms. */
    static TensorNames layout(ModelConfig config) {
        return Llama.layout(config)
                .module(Role.QUERY_NORM, "model.layers.{i}.self_attn.q_norm", "blk.{i}.attn_q_norm")
                .module(Role.KEY_NORM, "model.layers.{i}.self_attn.k_norm", "blk.{i}.attn_k_norm");
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        return near(this, json)
                .maximumPositions(json.size("max_position_embeddings", 32_768))
                .build();
    }

    /** Llama's sizes with Qwen3's attention. */
    static ModelConfigBuilder near(Family family, ConfigJson json) {
        Norm norm = new Norm.Rms(json.number("rms_norm_eps", 1e-6));
        int headDimension = json.size("head_dim", 128);
        Attention plain = ConfigKeys.attention(json);
        Attention attention = Attention.of(plain.heads(), plain.keyValueHeads(), headDimension)
                .withBiases(ConfigKeys.biases(json, false))
                .withQueryKeyNorm(Optional.of(new QueryKeyNorm(norm, Scope.HEAD)));
        return Llama.near(family, json)
                .attention(Qwen2.attention(json, attention))
                .positions(ConfigKeys.rotary(family, json, headDimension));
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return Qwen2.write(config, ConfigKeys.write(config, Map.of())).put(ConfigKeys.BIAS, ConfigKeys.biased(config));
    }

    /** What GGUF says, with the norms that it implies. */
    static ModelConfigBuilder near(GgufKeys keys) {
        return keys.config()
                .attention(keys.attentions(attention ->
                        attention.withQueryKeyNorm(Optional.of(new QueryKeyNorm(keys.norm(), Scope.HEAD)))));
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("qwen3");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        return near(new GgufKeys(this, metadata)).build();
    }
}
