package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** OLMo: layer norms without weights, clipped queries, keys and values (arXiv:2402.00838 §2.1). */
final class Olmo implements Family {
    @Override
    public String id() {
        return "olmo";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("OlmoForCausalLM");
    }

    /** Written into the code, not into config.json. */
    private static final Norm NORM = new Norm.Layer(1e-5, false, false);

    @Override
    public TensorNames names(ModelConfig config) {
        return Llama.layout(config);
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        return Llama.near(this, json)
                .attention(ConfigKeys.attention(json)
                        .withBiases(ConfigKeys.biases(json, false))
                        .withClip(json.optionalNumber("clip_qkv")))
                .norm(NORM)
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = ConfigKeys.write(config, Map.of()).put(ConfigKeys.BIAS, ConfigKeys.biased(config));
        json.remove("layer_norm_eps");
        config.attention().clip().ifPresentOrElse(bound -> json.put("clip_qkv", bound), () -> json.putNull("clip_qkv"));
        return json;
    }

    @Override
    public Pairing ggufPairing() {
        return Pairing.INTERLEAVED;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("olmo");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        return new GgufKeys(this, metadata).config().norm(NORM).build();
    }
}
