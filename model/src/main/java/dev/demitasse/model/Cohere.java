package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Command R and Aya: one norm before attention and feed-forward block side by side, scaled logits (huggingface.co/CohereForAI/c4ai-command-r-v01). */
final class Cohere implements Family {
    /** Those of Command R+, by which llama.cpp knows it. */
    private static final int LAYERS_WITH_NORMS = 64;

    @Override
    public String id() {
        return "cohere";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("CohereForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return Qwen3.layout(config);
    }

    @Override
    public Pairing pairing() {
        return Pairing.INTERLEAVED;
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Norm norm = new Norm.Layer(json.number("layer_norm_eps", 1e-5), true, false);
        Attention attention = ConfigKeys.attention(json)
                .withBiases(ConfigKeys.biases(json, false))
                .withQueryKeyNorm(
                        json.flag("use_qk_norm", false)
                                ? Optional.of(new QueryKeyNorm(norm, Scope.EACH_HEAD))
                                : Optional.empty());
        return Llama.near(this, json)
                .attention(attention)
                .norm(norm)
                .residual(Residual.PARALLEL)
                .head(Head.plain(json.flag("tie_word_embeddings", true)).withScale(json.number("logit_scale", 0.0625)))
                .maximumPositions(json.size("max_position_embeddings", 8192))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = ConfigKeys.write(config, Map.of())
                .put(ConfigKeys.BIAS, ConfigKeys.biased(config))
                .put("use_qk_norm", config.attention().queryKeyNorm().isPresent())
                .put("logit_scale", config.head().scale());
        json.remove("head_dim");
        return json;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("command-r");
    }

    @Override
    public Optional<String> beyondLlamaCpp(ModelConfig config) {
        return config.attention().queryKeyNorm().isPresent() && config.layers() < LAYERS_WITH_NORMS
                ? Optional.of("llama.cpp looks for norms of queries and keys in models of 64 layers and more only")
                : Optional.empty();
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        Norm norm = new Norm.Layer(keys.norm().epsilon(), true, false);
        return keys.config()
                .attention(keys.attentions(
                        attention -> attention.withQueryKeyNorm(Optional.of(new QueryKeyNorm(norm, Scope.EACH_HEAD)))))
                .norm(norm)
                .residual(Residual.PARALLEL)
                .build();
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        Map<String, Object> values = GgufKeys.write(config);
        values.put("command-r.logit_scale", (float) config.head().scale());
        return values;
    }
}
