package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Qwen3-30B-A3B and its likes: Qwen3 with experts (arXiv:2505.09388 §2). */
final class Qwen3Moe implements Family {
    @Override
    public String id() {
        return "qwen3_moe";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("Qwen3MoeForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return ExpertNames.addUsual(Qwen3.layout(config));
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        FeedForward dense = Llama.feedForward(json);
        Experts experts = new Experts(
                json.size("num_experts", 128),
                json.size("num_experts_per_tok", 8),
                json.flag("norm_topk_prob", false),
                0);
        FeedForward sparse = FeedForward.experts(json.size("moe_intermediate_size", 768), dense.activation(), experts);
        int step = json.size("decoder_sparse_step", 1);
        List<Integer> denseLayers = json.integers("mlp_only_layers");
        return Qwen3.near(this, json)
                .feedForward(layer -> denseLayers.contains(layer) || (layer + 1) % step != 0 ? dense : sparse)
                .maximumPositions(json.size("max_position_embeddings", 32_768))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return Qwen2Moe.writeExperts(config, Qwen2.write(config, ConfigKeys.write(config, Map.of())))
                .put(ConfigKeys.BIAS, ConfigKeys.biased(config));
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("qwen3moe");
    }

    @Override
    public Optional<String> beyondLlamaCpp(ModelConfig config) {
        return !config.uniform()
                ? Optional.of("llama.cpp opens models of this architecture only if every layer has experts")
                : Optional.empty();
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        return Qwen3.near(keys).feedForward(keys.experts(true)).build();
    }
}
