package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Granite 3: Llama with multipliers on embedding, residuals, attention and logits (github.com/ibm-granite). */
final class Granite implements Family {
    @Override
    public String id() {
        return "granite";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("GraniteForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return Llama.layout(config);
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Attention attention = ConfigKeys.attention(json)
                .withBiases(ConfigKeys.biases(json, false))
                .withScale(json.number("attention_multiplier", 1));
        return Llama.near(this, json)
                .attention(attention)
                .feedForward(Llama.feedForward(json).withBias(json.flag("mlp_bias", false)))
                .embedding(InputEmbedding.plain(json.size("hidden_size"))
                        .withScale(json.number("embedding_multiplier", 1)))
                .residualScale(json.number("residual_multiplier", 1))
                .head(Head.plain(json.flag("tie_word_embeddings", false))
                        .withScale(1 / json.number("logits_scaling", 1)))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return ConfigKeys.write(config, Map.of())
                .put(ConfigKeys.BIAS, ConfigKeys.biased(config))
                .put("mlp_bias", config.feedForward().bias())
                .put("attention_multiplier", config.attention().scale())
                .put("embedding_multiplier", config.embedding().scale())
                .put("residual_multiplier", config.residualScale())
                .put("logits_scaling", 1 / config.head().scale());
    }

    /** What GGUF says; its {@code logit_scale} divides. */
    static ModelConfigBuilder near(GgufKeys keys) {
        return keys.config().head(Head.plain(false).withScale(1 / keys.number("logit_scale", 1)));
    }

    /** Adds the multipliers to what other families have. */
    static Map<String, Object> writeScales(ModelConfig config, String architecture) {
        Map<String, Object> values = GgufKeys.write(config);
        values.put(architecture + ".embedding_scale", (float) config.embedding().scale());
        values.put(architecture + ".residual_scale", (float) config.residualScale());
        values.put(architecture + ".logit_scale", (float) (1 / config.head().scale()));
        return values;
    }

    @Override
    public Pairing ggufPairing() {
        return Pairing.INTERLEAVED;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("granite");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        return near(new GgufKeys(this, metadata)).build();
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        Map<String, Object> values = writeScales(config, "granite");
        values.put("granite.attention.scale", (float) config.attention().scale());
        return values;
    }
}
