package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** OLMoE: 8 of 64 small experts, norms of all queries and of all keys together (arXiv:2409.02060 §2). */
final class Olmoe implements Family {
    @Override
    public String id() {
        return "olmoe";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("OlmoeForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return ExpertNames.addUsual(Qwen3.layout(config));
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Norm norm = new Norm.Rms(json.number("rms_norm_eps", 1e-5));
        FeedForward expert = Llama.feedForward(json);
        Experts experts = new Experts(
                json.size("num_experts", 64),
                json.size("num_experts_per_tok", 8),
                json.flag("norm_topk_prob", false),
                0);
        return Llama.near(this, json)
                .attention(ConfigKeys.attention(json)
                        .withBiases(ConfigKeys.biases(json, false))
                        .withClip(json.optionalNumber("clip_qkv"))
                        .withQueryKeyNorm(Optional.of(new QueryKeyNorm(norm, Scope.ALL_HEADS))))
                .feedForward(FeedForward.experts(expert.intermediateSize(), expert.activation(), experts))
                .norm(norm)
                .maximumPositions(json.size("max_position_embeddings", 4096))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        Experts experts = config.feedForward().experts().orElseThrow();
        ObjectNode json = ConfigKeys.write(config, Map.of())
                .put(ConfigKeys.BIAS, ConfigKeys.biased(config))
                .put("num_experts", experts.count())
                .put("num_experts_per_tok", experts.used())
                .put("norm_topk_prob", experts.normalized());
        config.attention().clip().ifPresent(bound -> json.put("clip_qkv", bound));
        return json;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("olmoe");
    }

    @Override
    public Optional<String> beyondLlamaCpp(ModelConfig config) {
        return config.attention().groupSize() > 1 || config.attention().clip().isPresent()
                ? Optional.of("llama.cpp knows this architecture without grouped queries and without clipping only")
                : Optional.empty();
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        QueryKeyNorm norm = new QueryKeyNorm(keys.norm(), Scope.ALL_HEADS);
        return keys.config()
                .attention(keys.attentions(attention -> attention.withQueryKeyNorm(Optional.of(norm))))
                .feedForward(keys.experts(false))
                .build();
    }
}
