package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Positions.Pairing;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Mistral 7B and Danube (arXiv:2310.06825): Llama whose attention may see a sliding window only. llama.cpp runs these
 * models as Llama, with full attention; it skips the key that tells the window.
 */
final class Mistral implements Family {
    @Override
    public String id() {
        return "mistral";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("MistralForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return Llama.layout(config);
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        return Llama.near(this, json)
                .attention(ConfigKeys.attention(json).withSlidingWindow(json.size("sliding_window", Attention.FULL)))
                .maximumPositions(json.size("max_position_embeddings", 4096 * 32))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = ConfigKeys.write(config, Map.of());
        return ConfigKeys.writeWindow(config, json);
    }

    @Override
    public Pairing ggufPairing() {
        return Pairing.INTERLEAVED;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("llama");
    }
}
