package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** StarCoder2: layer norms, biases, a plain feed-forward block, a window (arXiv:2402.19173 §5). */
final class Starcoder2 implements Family {
    @Override
    public String id() {
        return "starcoder2";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("Starcoder2ForCausalLM");
    }

    private static final Map<String, String> NAMES = Map.of("layer_norm_eps", "norm_epsilon");

    @Override
    public TensorNames names(ModelConfig config) {
        return Llama.layout(config)
                .module(Role.UP, "model.layers.{i}.mlp.c_fc", "blk.{i}.ffn_up")
                .module(Role.DOWN, "model.layers.{i}.mlp.c_proj", "blk.{i}.ffn_down");
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(NAMES);
        boolean bias = json.flag("use_bias", true);
        Attention attention = ConfigKeys.attention(json)
                .withBiases(bias ? Attention.PROJECTIONS : Set.of())
                .withSlidingWindow(json.size("sliding_window", Attention.FULL));
        return ConfigKeys.sizes(this, json, true)
                .attention(attention)
                .feedForward(FeedForward.plain(
                        json.size("intermediate_size"),
                        ConfigKeys.activation(json, "hidden_act", "gelu_pytorch_tanh"),
                        bias))
                .positions(ConfigKeys.rotary(this, json, attention.headDimension()))
                .norm(new Norm.Layer(json.number("layer_norm_eps", 1e-5)))
                .maximumPositions(json.size("max_position_embeddings", 4096))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = ConfigKeys.write(config, NAMES)
                .put("use_bias", config.feedForward().bias());
        json.remove("head_dim");
        return ConfigKeys.writeWindow(config, json);
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("starcoder2");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        return keys.config()
                .feedForward(keys.feedForwards(FeedForward.Activation.GELU_TANH, false))
                .build();
    }
}
