package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** MiniCPM: Llama with scaled embedding, residuals and logits (arXiv:2404.06395 §3 and appendix A.1). */
final class MiniCpm implements Family {
    @Override
    public String id() {
        return "minicpm";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("MiniCPMForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return Llama.layout(config);
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        int hiddenSize = json.size("hidden_size");
        return Llama.near(this, json)
                .attention(ConfigKeys.attention(json).withBiases(ConfigKeys.biases(json, false)))
                .embedding(InputEmbedding.plain(hiddenSize).withScale(json.number("scale_emb", 1)))
                .residualScale(json.number("scale_depth", 1) / Math.sqrt(json.size("num_hidden_layers")))
                .head(Head.plain(json.flag("tie_word_embeddings", true))
                        .withScale((double) json.size("dim_model_base", 1) / hiddenSize))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        double base = config.head().scale() * config.hiddenSize();
        return ConfigKeys.write(config, Map.of())
                .put(ConfigKeys.BIAS, ConfigKeys.biased(config))
                .put("scale_emb", config.embedding().scale())
                .put("scale_depth", config.residualScale() * Math.sqrt(config.layers()))
                .put("dim_model_base", Math.max(1, Math.toIntExact(Math.round(base))));
    }

    @Override
    public Pairing ggufPairing() {
        return Pairing.INTERLEAVED;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("minicpm");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        return Granite.near(new GgufKeys(this, metadata)).build();
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        return Granite.writeScales(config, "minicpm");
    }
}
