package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Map;
import java.util.Set;

/** Mistral 7B and Danube (arXiv:2310.06825): Llama whose attention may see a sliding window only. */
final class Mistral implements Family {
    /** Beyond llama.cpp, which runs these models with full attention; it skips keys that it does not know. */
    static final String SLIDING_WINDOW = "llama.attention.sliding_window";

    private static final Llama LLAMA = new Llama();

    @Override
    public String id() {
        return "mistral";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("MistralForCausalLM");
    }

    @Override
    public TensorNames names() {
        return LLAMA.names();
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        return Llama.read(this, json, Set.of(), json.size("sliding_window", Attention.FULL), false, 4096 * 32);
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = Llama.write(this, config);
        int window = config.attention().slidingWindow();
        if (window == Attention.FULL) {
            json.putNull("sliding_window");
        } else {
            json.put("sliding_window", window);
        }
        return json;
    }

    @Override
    public String ggufArchitecture() {
        return LLAMA.ggufArchitecture();
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        return LLAMA.readGguf(metadata);
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        Map<String, Object> values = LLAMA.writeGguf(config);
        if (config.attention().slidingWindow() != Attention.FULL) {
            values.put(SLIDING_WINDOW, config.attention().slidingWindow());
        }
        return values;
    }
}
