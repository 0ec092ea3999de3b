package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** OLMo 2: norms of what attention and feed-forward block give, and of all queries and keys (arXiv:2501.00656 §3.3). */
final class Olmo2 implements Family {
    @Override
    public String id() {
        return "olmo2";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("Olmo2ForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return Qwen3.layout(config)
                .module(
                        Role.ATTENTION_POST_NORM,
                        "model.layers.{i}.post_attention_layernorm",
                        "blk.{i}.post_attention_norm")
                .module(
                        Role.FEED_FORWARD_POST_NORM,
                        "model.layers.{i}.post_feedforward_layernorm",
                        "blk.{i}.post_ffw_norm");
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Norm norm = new Norm.Rms(json.number("rms_norm_eps", 1e-5));
        return Llama.near(this, json)
                .attention(ConfigKeys.attention(json)
                        .withBiases(ConfigKeys.biases(json, false))
                        .withQueryKeyNorm(Optional.of(new QueryKeyNorm(norm, Scope.ALL_HEADS))))
                .norm(norm)
                .residual(Residual.OUTPUT_NORM)
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return ConfigKeys.write(config, Map.of()).put(ConfigKeys.BIAS, ConfigKeys.biased(config));
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("olmo2");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        QueryKeyNorm norm = new QueryKeyNorm(keys.norm(), Scope.ALL_HEADS);
        return keys.config()
                .attention(keys.attentions(attention -> attention.withQueryKeyNorm(Optional.of(norm))))
                .residual(Residual.OUTPUT_NORM)
                .build();
    }
}
