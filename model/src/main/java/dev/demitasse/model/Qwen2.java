package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.function.IntUnaryOperator;

/** Qwen2 and Qwen2.5: Llama with biases on q, k and v (arXiv:2407.10671 §2.2). */
final class Qwen2 implements Family {
    static final Set<Role> BIASES = Set.of(Role.QUERY, Role.KEY, Role.VALUE);

    @Override
    public String id() {
        return "qwen2";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("Qwen2ForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return Llama.layout(config);
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        return Llama.near(this, json)
                .attention(attention(json, ConfigKeys.attention(json).withBiases(BIASES)))
                .maximumPositions(json.size("max_position_embeddings", 32_768))
                .build();
    }

    /** {@code attention} in each layer, with the window of those that slide. */
    static IntFunction<Attention> attention(ConfigJson json, Attention attention) {
        OptionalInt window = json.flag("use_sliding_window", false) ? ConfigKeys.window(json) : OptionalInt.empty();
        int full = json.count("max_window_layers", 28);
        IntUnaryOperator windows = ConfigKeys.windows(json, window, layer -> layer >= full);
        return layer -> attention.withSlidingWindow(windows.applyAsInt(layer));
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return write(config, ConfigKeys.write(config, Map.of()));
    }

    /** Adds what {@link #attention} reads. */
    static ObjectNode write(ModelConfig config, ObjectNode json) {
        ConfigKeys.writeWindows(config, json);
        int full = 0;
        while (full < config.layers() && config.attention(full).slidingWindow() == Attention.FULL) {
            full++;
        }
        return json.put("use_sliding_window", full < config.layers()).put("max_window_layers", full);
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("qwen2");
    }
}
