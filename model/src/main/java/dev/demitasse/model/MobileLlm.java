package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;
import java.util.Set;

/** MobileLLM: a deep and thin Llama (arXiv:2402.14905 §3). */
final class MobileLlm implements Family {
    @Override
    public String id() {
        return "mobilellm";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("MobileLLMForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return Llama.layout(config);
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        json.refuse("layer_sharing", false);
        boolean tied = json.flag("share_embedding", json.flag("tie_word_embeddings", false));
        return Llama.near(this, json)
                .attention(ConfigKeys.attention(json).withBiases(ConfigKeys.biases(json, false)))
                .head(Head.plain(tied))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return ConfigKeys.write(config, Map.of())
                .put(ConfigKeys.BIAS, ConfigKeys.biased(config))
                .put("share_embedding", config.tiedHead())
                .put("layer_sharing", false);
    }
}
