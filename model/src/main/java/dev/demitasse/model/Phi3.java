package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Place.Order;
import dev.demitasse.model.Positions.Rotary;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Phi-3 and Phi-4 mini: Llama with fused projections, LongRoPE and a window (arXiv:2404.14219 §2). */
final class Phi3 implements Family {
    @Override
    public String id() {
        return "phi3";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("Phi3ForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        Role[] attention = {Role.QUERY, Role.KEY, Role.VALUE};
        String layer = "model.layers.{i}.";
        return Llama.layout(config)
                .huggingFace(Place.fused(layer + "self_attn.qkv_proj", Order.CONCATENATED, attention))
                .gguf(Place.fused("blk.{i}.attn_qkv", Order.CONCATENATED, attention))
                .huggingFace(Place.fused(layer + "mlp.gate_up_proj", Order.CONCATENATED, Role.GATE, Role.UP))
                .gguf(Place.fused("blk.{i}.ffn_up", Order.CONCATENATED, Role.GATE, Role.UP));
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Attention attention = ConfigKeys.attention(json).withSlidingWindow(json.size("sliding_window", Attention.FULL));
        return Llama.near(this, json)
                .attention(attention)
                .positions(ConfigKeys.partialRotary(this, json, attention.headDimension(), 1))
                .norm(new Norm.Rms(json.number("rms_norm_eps", 1e-5)))
                .maximumPositions(json.size("max_position_embeddings", 4096))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = ConfigKeys.writePartialRotary(config, ConfigKeys.write(config, Map.of()));
        if (!json.has("original_max_position_embeddings")) {
            json.put("original_max_position_embeddings", config.maximumPositions());
        }
        if (config.positions() instanceof Rotary rotary && rotary.scaling() instanceof RopeScaling.LongRope rope) {
            // Phi-3's own code knows these three keys and no others.
            ObjectNode scaling = json.putObject("rope_scaling").put("type", "longrope");
            rope.shortFactors().forEach(scaling.putArray("short_factor")::add);
            rope.longFactors().forEach(scaling.putArray("long_factor")::add);
        }
        return ConfigKeys.writeWindow(config, json);
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("phi3");
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        Map<String, Object> values = GgufKeys.write(config);
        values.putIfAbsent("phi3.rope.scaling.original_context_length", config.maximumPositions());
        return values;
    }
}
