package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Qwen1.5-MoE and Qwen2-57B-A14B: Qwen2 with experts, one of them shared by all tokens (arXiv:2407.10671 §2.2.2). */
final class Qwen2Moe implements Family {
    @Override
    public String id() {
        return "qwen2_moe";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("Qwen2MoeForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return ExpertNames.addUsual(Llama.layout(config))
                .module(Role.SHARED_ROUTER, "model.layers.{i}.mlp.shared_expert_gate", "blk.{i}.ffn_gate_inp_shexp")
                .module(Role.SHARED_GATE, "model.layers.{i}.mlp.shared_expert.gate_proj", "blk.{i}.ffn_gate_shexp")
                .module(Role.SHARED_UP, "model.layers.{i}.mlp.shared_expert.up_proj", "blk.{i}.ffn_up_shexp")
                .module(Role.SHARED_DOWN, "model.layers.{i}.mlp.shared_expert.down_proj", "blk.{i}.ffn_down_shexp");
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        FeedForward dense = Llama.feedForward(json);
        Experts experts = new Experts(
                json.size("num_experts", 60),
                json.size("num_experts_per_tok", 4),
                json.flag("norm_topk_prob", false),
                json.size("shared_expert_intermediate_size", 5632));
        FeedForward sparse = FeedForward.experts(json.size("moe_intermediate_size", 1408), dense.activation(), experts);
        int step = json.size("decoder_sparse_step", 1);
        List<Integer> denseLayers = json.integers("mlp_only_layers");
        return Llama.near(this, json)
                .attention(Qwen2.attention(
                        json,
                        ConfigKeys.attention(json).withBiases(json.flag("qkv_bias", true) ? Qwen2.BIASES : Set.of())))
                .feedForward(layer -> denseLayers.contains(layer) || (layer + 1) % step != 0 ? dense : sparse)
                .maximumPositions(json.size("max_position_embeddings", 32_768))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = writeExperts(config, Qwen2.write(config, ConfigKeys.write(config, Map.of())));
        int shared = config.blocks().stream()
                .flatMap(block -> block.feedForward().experts().stream())
                .mapToInt(Experts::sharedSize)
                .max()
                .orElse(0);
        return json.put("shared_expert_intermediate_size", shared)
                .put("qkv_bias", !config.attention().biases().isEmpty());
    }

    /** Adds which layers have experts, and what these are like. */
    static ObjectNode writeExperts(ModelConfig config, ObjectNode json) {
        json.put("decoder_sparse_step", 1);
        ArrayNode dense = json.putArray("mlp_only_layers");
        for (int layer = 0; layer < config.layers(); layer++) {
            FeedForward feedForward = config.feedForward(layer);
            if (feedForward.experts().isEmpty()) {
                json.put("intermediate_size", feedForward.intermediateSize());
                dense.add(layer);
            } else {
                Experts experts = feedForward.experts().get();
                json.put("moe_intermediate_size", feedForward.intermediateSize());
                json.put("num_experts", experts.count());
                json.put("num_experts_per_tok", experts.used());
                json.put("norm_topk_prob", experts.normalized());
            }
        }
        return json;
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("qwen2moe");
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
        return keys.config().feedForward(keys.experts(false)).build();
    }
}
