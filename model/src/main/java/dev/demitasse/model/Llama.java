package dev.demitasse.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Llama 1 to 3 and all that share its code, SmolLM2 and TinyLlama among them (arXiv:2302.13971 §2.2): RMS norms before
 * each block, rotary positions, grouped-query attention, SwiGLU.
 */
final class Llama implements Family {
    private static final TensorNames NAMES = new TensorNames()
            .module(Role.EMBEDDING, "model.embed_tokens", "token_embd")
            .module(Role.ATTENTION_NORM, "model.layers.{i}.input_layernorm", "blk.{i}.attn_norm")
            .module(Role.QUERY, "model.layers.{i}.self_attn.q_proj", "blk.{i}.attn_q")
            .module(Role.KEY, "model.layers.{i}.self_attn.k_proj", "blk.{i}.attn_k")
            .module(Role.VALUE, "model.layers.{i}.self_attn.v_proj", "blk.{i}.attn_v")
            .module(Role.ATTENTION_OUTPUT, "model.layers.{i}.self_attn.o_proj", "blk.{i}.attn_output")
            .module(Role.FEED_FORWARD_NORM, "model.layers.{i}.post_attention_layernorm", "blk.{i}.ffn_norm")
            .module(Role.GATE, "model.layers.{i}.mlp.gate_proj", "blk.{i}.ffn_gate")
            .module(Role.UP, "model.layers.{i}.mlp.up_proj", "blk.{i}.ffn_up")
            .module(Role.DOWN, "model.layers.{i}.mlp.down_proj", "blk.{i}.ffn_down")
            .module(Role.FINAL_NORM, "model.norm", "output_norm")
            .module(Role.HEAD, "lm_head", "output");

    @Override
    public String id() {
        return "llama";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("LlamaForCausalLM");
    }

    @Override
    public TensorNames names() {
        return NAMES;
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Set<Role> biases = json.flag("attention_bias", false)
                ? Set.of(Role.QUERY, Role.KEY, Role.VALUE, Role.ATTENTION_OUTPUT)
                : Set.of();
        return read(this, json, biases, Attention.FULL, json.flag("mlp_bias", false), 2048);
    }

    /** What Llama and its near relatives have in common. */
    static ModelConfig read(
            Family family,
            ConfigJson json,
            Set<Role> biases,
            int slidingWindow,
            boolean feedForwardBias,
            int positions) {
        int hiddenSize = json.size("hidden_size");
        int heads = json.size("num_attention_heads");
        int headDimension = json.size("head_dim", Math.max(1, hiddenSize / heads));
        String activation = json.text("hidden_act", "silu");
        if (!activation.equals("silu")) {
            throw json.malformed("hidden_act", "is '" + activation + "'; Demitasse knows silu");
        }
        return new ModelConfig(
                family,
                json.size("vocab_size"),
                hiddenSize,
                json.size("num_hidden_layers"),
                new Attention(heads, json.size("num_key_value_heads", heads), headDimension, biases, slidingWindow),
                new FeedForward(json.size("intermediate_size"), Activation.SILU, feedForwardBias),
                new Norm.Rms(json.number("rms_norm_eps", 1e-6)),
                new Rotary(headDimension, json.number("rope_theta", 10_000), ropeScaling(json), Pairing.HALVES),
                json.size("max_position_embeddings", positions),
                json.flag("tie_word_embeddings", false),
                json.specialTokens());
    }

    private static RopeScaling ropeScaling(ConfigJson json) {
        if (!json.has("rope_scaling")) {
            return new RopeScaling.None();
        }
        ConfigJson scaling = json.object("rope_scaling");
        String type = scaling.text("rope_type", scaling.text("type", ""));
        return switch (type) {
            case "default" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(scaling.number("factor", 1));
            case "llama3" ->
                new RopeScaling.Llama3(
                        scaling.number("factor", 8),
                        scaling.number("low_freq_factor", 1),
                        scaling.number("high_freq_factor", 4),
                        scaling.size("original_max_position_embeddings"));
            case "longrope" -> longRope(json, scaling);
            default ->
                throw json.malformed(
                        "rope_scaling", "is of type '" + type + "'; Demitasse knows linear, llama3, longrope");
        };
    }

    /** One list of factors for every length; longrope proper changes them with the length. */
    private static RopeScaling longRope(ConfigJson json, ConfigJson scaling) {
        List<Double> factors = scaling.numbers("long_factor");
        int original = scaling.size("original_max_position_embeddings", json.size("max_position_embeddings", 1));
        if (!factors.equals(scaling.numbers("short_factor")) || original != json.size("max_position_embeddings", 1)) {
            throw json.malformed("rope_scaling", "changes with the length of the text, which Demitasse does not know");
        }
        return new RopeScaling.Factors(factors);
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = write(this, config);
        json.put("attention_bias", config.hasBias(Role.QUERY));
        json.put("mlp_bias", config.feedForward().bias());
        json.put("pretraining_tp", 1);
        return json;
    }

    /** What Llama and its near relatives have in common. */
    static ObjectNode write(Family family, ModelConfig config) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        family.architectures().forEach(json.putArray("architectures")::add);
        json.put("model_type", family.id());
        json.put("vocab_size", config.vocabularySize());
        json.put("hidden_size", config.hiddenSize());
        json.put("intermediate_size", config.feedForward().intermediateSize());
        json.put("num_hidden_layers", config.layers());
        json.put("num_attention_heads", config.attention().heads());
        json.put("num_key_value_heads", config.attention().keyValueHeads());
        json.put("head_dim", config.attention().headDimension());
        json.put("hidden_act", "silu");
        json.put("max_position_embeddings", config.maximumPositions());
        json.put("tie_word_embeddings", config.tiedHead());
        json.put("attention_dropout", 0.0);
        json.put("initializer_range", 0.02);
        json.put("use_cache", true);
        switch (config.norm()) {
            case Norm.Rms rms -> json.put("rms_norm_eps", rms.epsilon());
        }
        if (config.positions() instanceof Rotary rotary) {
            json.put("rope_theta", rotary.base());
            json.set("rope_scaling", writeScaling(config, rotary.scaling()));
        }
        SpecialTokens special = config.specialTokens();
        special.bos().ifPresent(id -> json.put("bos_token_id", id));
        special.pad().ifPresent(id -> json.put("pad_token_id", id));
        if (special.eos().size() == 1) {
            json.put("eos_token_id", special.eos().getFirst());
        } else if (!special.eos().isEmpty()) {
            ArrayNode eos = json.putArray("eos_token_id");
            special.eos().forEach(eos::add);
        }
        return json;
    }

    private static JsonNode writeScaling(ModelConfig config, RopeScaling scaling) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        return switch (scaling) {
            case RopeScaling.None none -> JsonNodeFactory.instance.nullNode();
            case RopeScaling.Linear linear -> json.put("rope_type", "linear").put("factor", linear.factor());
            case RopeScaling.Llama3 llama3 ->
                json.put("rope_type", "llama3")
                        .put("factor", llama3.factor())
                        .put("low_freq_factor", llama3.lowFrequencyFactor())
                        .put("high_freq_factor", llama3.highFrequencyFactor())
                        .put("original_max_position_embeddings", llama3.originalMaximumPositions());
            case RopeScaling.Factors list -> {
                json.put("rope_type", "longrope");
                list.factors().forEach(json.putArray("short_factor")::add);
                list.factors().forEach(json.putArray("long_factor")::add);
                yield json.put("original_max_position_embeddings", config.maximumPositions());
            }
        };
    }

    @Override
    public String ggufArchitecture() {
        return "llama";
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        return LlamaGguf.read(metadata);
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        return LlamaGguf.write(config);
    }
}
