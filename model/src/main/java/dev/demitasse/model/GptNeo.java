package dev.demitasse.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * GPT-Neo (Black et al., doi:10.5281/zenodo.5297715): GPT-2 whose layers see all tokens and a window of them by turns,
 * and whose scores are not scaled.
 */
final class GptNeo implements Family {
    private static final int POSITIONS = 2048;
    private static final int WINDOW = 256;
    private static final String GLOBAL = "global";
    private static final String LOCAL = "local";
    private static final Map<String, String> NAMES = Map.of(
            "num_hidden_layers", "num_layers",
            "num_attention_heads", "num_heads",
            "hidden_act", "activation_function",
            "layer_norm_eps", "layer_norm_epsilon");

    @Override
    public String id() {
        return "gpt_neo";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("GPTNeoForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return new TensorNames(config)
                .optionalPrefix("transformer.")
                .huggingFace(Role.EMBEDDING, Place.own("transformer.wte"))
                .huggingFace(Role.POSITION_EMBEDDING, Place.own("transformer.wpe"))
                .huggingFace(Role.ATTENTION_NORM, Place.own("transformer.h.{i}.ln_1"))
                .huggingFace(Role.QUERY, Place.own("transformer.h.{i}.attn.attention.q_proj"))
                .huggingFace(Role.KEY, Place.own("transformer.h.{i}.attn.attention.k_proj"))
                .huggingFace(Role.VALUE, Place.own("transformer.h.{i}.attn.attention.v_proj"))
                .huggingFace(Role.ATTENTION_OUTPUT, Place.own("transformer.h.{i}.attn.attention.out_proj"))
                .huggingFace(Role.FEED_FORWARD_NORM, Place.own("transformer.h.{i}.ln_2"))
                .huggingFace(Role.UP, Place.own("transformer.h.{i}.mlp.c_fc"))
                .huggingFace(Role.DOWN, Place.own("transformer.h.{i}.mlp.c_proj"))
                .huggingFace(Role.FINAL_NORM, Place.own("transformer.ln_f"))
                .huggingFace(Role.HEAD, Place.own("lm_head"));
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(NAMES);
        Attention attention = GptKeys.attention(json).withScale(1).withBiases(Set.of(Role.ATTENTION_OUTPUT));
        int window = json.size("window_size", WINDOW);
        List<String> types = types(json);
        return GptKeys.near(this, json, POSITIONS, "gelu_new", true)
                .embedding(GptKeys.learned(json, POSITIONS))
                .attention(
                        layer -> attention.withSlidingWindow(types.get(layer).equals(LOCAL) ? window : Attention.FULL))
                .build();
    }

    /** For each layer whether it sees all tokens: {@code [[["global", "local"], 12]]} says both, twelve times. */
    private static List<String> types(ConfigJson json) {
        String key = "attention_types";
        int layers = json.size("num_hidden_layers");
        List<String> types = new ArrayList<>();
        for (JsonNode entry : json.node(key)) {
            int times = entry.path(1).asInt();
            if (times < 1 || (long) times * entry.path(0).size() > layers - types.size()) {
                throw json.malformed(key, "must have an entry for each of %d layers".formatted(layers));
            }
            for (int i = 0; i < times; i++) {
                entry.path(0).forEach(type -> types.add(type.asText()));
            }
        }
        if (!json.has(key)) {
            for (int layer = 0; layer < layers; layer++) {
                types.add(layer % 2 == 0 ? GLOBAL : LOCAL);
            }
        }
        if (types.size() != layers || types.stream().anyMatch(type -> !type.equals(GLOBAL) && !type.equals(LOCAL))) {
            throw json.malformed(
                    key, "must say global or local for each of %d layers, says %s".formatted(layers, types));
        }
        return types;
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = GptKeys.write(config, NAMES);
        ArrayNode runs = json.putArray("attention_types");
        ArrayNode types = json.putArray("attention_layers");
        int window = WINDOW;
        for (Block block : config.blocks()) {
            boolean local = block.attention().slidingWindow() != Attention.FULL;
            String type = local ? LOCAL : GLOBAL;
            window = local ? block.attention().slidingWindow() : window;
            runs.addArray().add(json.arrayNode().add(type)).add(1);
            types.add(type);
        }
        return json.put("window_size", window)
                .put("attention_dropout", 0.0)
                .put("embed_dropout", 0.0)
                .put("resid_dropout", 0.0);
    }
}
