package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Mixtral 8x7B and 8x22B: Mistral whose feed-forward block is two of eight experts (arXiv:2401.04088 §2.1). */
final class Mixtral implements Family {
    @Override
    public String id() {
        return "mixtral";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("MixtralForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return ExpertNames.add(
                Llama.layout(config),
                "model.layers.{i}.block_sparse_moe.gate",
                "model.layers.{i}.block_sparse_moe.experts.{e}",
                "w1",
                "w3",
                "w2");
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Experts experts = new Experts(json.size("num_local_experts", 8), json.size("num_experts_per_tok", 2), true, 0);
        FeedForward expert = Llama.feedForward(json);
        return Llama.near(this, json)
                .attention(ConfigKeys.attention(json).withSlidingWindow(json.size("sliding_window", Attention.FULL)))
                .feedForward(FeedForward.experts(expert.intermediateSize(), expert.activation(), experts))
                .norm(new Norm.Rms(json.number("rms_norm_eps", 1e-5)))
                .positions(
                        ConfigKeys.rotary(this, json, ConfigKeys.attention(json).headDimension(), 1e6))
                .maximumPositions(json.size("max_position_embeddings", 4096 * 32))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        Experts experts = config.feedForward().experts().orElseThrow();
        ObjectNode json = ConfigKeys.write(config, Map.of())
                .put("num_local_experts", experts.count())
                .put("num_experts_per_tok", experts.used());
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

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        return keys.config().feedForward(keys.experts(true)).build();
    }
}
