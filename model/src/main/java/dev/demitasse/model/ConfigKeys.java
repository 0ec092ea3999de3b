package dev.demitasse.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Positions.Rotary;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.function.IntUnaryOperator;

/**
 * What most families' config.json say alike, under Llama's names for it. A family with other names reads through
 * {@link ConfigJson#renamed} and writes by {@link #write}'s {@code names}: the same map.
 */
final class ConfigKeys {
    /** Whether q, k, v and the attention output add biases, all of them or none. */
    static final String BIAS = "attention_bias";

    private static final String SLIDING = "sliding_attention";
    private static final String SCALING = "rope_scaling";
    private static final String ORIGINAL_POSITIONS = "original_max_position_embeddings";

    private ConfigKeys() {}

    /** Sizes, special tokens, a head; attention, feed-forward block and norm are the family's to say. */
    static ModelConfigBuilder sizes(Family family, ConfigJson json, boolean tiedUnlessSaid) {
        return ModelConfig.of(family)
                .vocabularySize(json.size("vocab_size"))
                .hiddenSize(json.size("hidden_size"))
                .layers(json.size("num_hidden_layers"))
                .maximumPositions(json.size("max_position_embeddings", 2048))
                .head(Head.plain(json.flag("tie_word_embeddings", tiedUnlessSaid)))
                .specialTokens(json.specialTokens());
    }

    /** Heads, as many key/value heads if nothing else is said, their width. */
    static Attention attention(ConfigJson json) {
        int heads = json.size("num_attention_heads");
        int width = Math.max(1, json.size("hidden_size") / heads);
        return Attention.of(heads, json.size("num_key_value_heads", heads), json.size("head_dim", width));
    }

    /** Which projections of attention {@link #BIAS} gives a bias. */
    static Set<Role> biases(ConfigJson json, boolean otherwise) {
        return json.flag(BIAS, otherwise) ? Attention.PROJECTIONS : Set.of();
    }

    /** What {@link #BIAS} says of {@code config}. */
    static boolean biased(ModelConfig config) {
        return !config.attention().biases().isEmpty();
    }

    /**
     * The window of each layer, where {@code sliding_window} is that of some: those that {@code layer_types} calls sliding,
     * where there is such a list.
     *
     * @param otherwise which layers slide, where there is none
     */
    static IntUnaryOperator windows(ConfigJson json, OptionalInt window, IntPredicate otherwise) {
        if (window.isEmpty()) {
            return layer -> Attention.FULL;
        }
        List<String> types = json.texts("layer_types");
        for (String type : types) {
            if (!type.equals(SLIDING) && !type.equals("full_attention")) {
                throw json.malformed("layer_types", "holds '" + type + "'; Demitasse knows sliding and full attention");
            }
        }
        if (!types.isEmpty() && types.size() != json.size("num_hidden_layers")) {
            throw json.malformed(
                    "layer_types",
                    "has %d entries for %d layers".formatted(types.size(), json.size("num_hidden_layers")));
        }
        return layer -> {
            boolean slides =
                    types.isEmpty() ? otherwise.test(layer) : types.get(layer).equals(SLIDING);
            return slides ? window.getAsInt() : Attention.FULL;
        };
    }

    /** {@code sliding_window}, if it is there. */
    static OptionalInt window(ConfigJson json) {
        return json.has("sliding_window") ? OptionalInt.of(json.size("sliding_window")) : OptionalInt.empty();
    }

    /** Writes {@code sliding_window}, that of all layers. */
    static ObjectNode writeWindow(ModelConfig config, ObjectNode json) {
        int window = config.attention().slidingWindow();
        return window == Attention.FULL ? json.putNull("sliding_window") : json.put("sliding_window", window);
    }

    /** Writes {@code sliding_window} and which layers slide. */
    static ObjectNode writeWindows(ModelConfig config, ObjectNode json) {
        List<Integer> windows = config.blocks().stream()
                .map(block -> block.attention().slidingWindow())
                .toList();
        OptionalInt window = windows.stream()
                .mapToInt(size -> size)
                .filter(size -> size != Attention.FULL)
                .findFirst();
        if (window.isEmpty()) {
            return json.putNull("sliding_window");
        }
        json.put("sliding_window", window.getAsInt());
        ArrayNode types = json.putArray("layer_types");
        windows.forEach(size -> types.add(size == Attention.FULL ? "full_attention" : SLIDING));
        return json;
    }

    /** The activation that {@code key} names. */
    static Activation activation(ConfigJson json, String key, String otherwise) {
        String name = json.text(key, otherwise);
        return switch (name) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu" -> Activation.GELU;
            case "gelu_new", "gelu_fast", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
            case "relu" -> Activation.RELU;
            default ->
                throw json.malformed(
                        key, "is '" + name + "'; Demitasse knows silu, gelu, gelu_new, gelu_pytorch_tanh, relu");
        };
    }

    /** How config.json calls {@code activation}. */
    static String name(Activation activation) {
        return switch (activation) {
            case SILU -> "silu";
            case GELU -> "gelu";
            case GELU_TANH -> "gelu_pytorch_tanh";
            case RELU -> "relu";
        };
    }

    /** {@code rope_theta} and {@code rope_scaling}, over {@code dimensions} of each head. */
    static Rotary rotary(Family family, ConfigJson json, int dimensions) {
        return rotary(family, json, dimensions, 10_000);
    }

    /** As above, with the base that holds if {@code rope_theta} is not said. */
    static Rotary rotary(Family family, ConfigJson json, int dimensions, double base) {
        return new Rotary(dimensions, json.number("rope_theta", base), ropeScaling(json), family.pairing());
    }

    /** As above, over the part of each head that {@code partial_rotary_factor} says. */
    static Rotary partialRotary(Family family, ConfigJson json, int headDimension, double otherwise) {
        return rotary(family, json, (int) (headDimension * json.number("partial_rotary_factor", otherwise)));
    }

    /** Writes {@code partial_rotary_factor}. */
    static ObjectNode writePartialRotary(ModelConfig config, ObjectNode json) {
        if (config.positions() instanceof Rotary rotary) {
            json.put(
                    "partial_rotary_factor",
                    (double) rotary.dimensions() / config.attention().headDimension());
        }
        return json;
    }

    static RopeScaling ropeScaling(ConfigJson json) {
        if (!json.has(SCALING)) {
            return new RopeScaling.None();
        }
        ConfigJson scaling = json.object(SCALING);
        String type = scaling.text("rope_type", scaling.text("type", ""));
        return switch (type) {
            case "default" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(scaling.number("factor", 1));
            case "dynamic" ->
                new RopeScaling.Dynamic(scaling.number("factor", 1), json.size("max_position_embeddings"));
            case "llama3" ->
                new RopeScaling.Llama3(
                        scaling.number("factor", 8),
                        scaling.number("low_freq_factor", 1),
                        scaling.number("high_freq_factor", 4),
                        scaling.size(ORIGINAL_POSITIONS));
            case "yarn" -> yarn(json, scaling);
            case "longrope", "su" -> longRope(json, scaling);
            default ->
                throw json.malformed(
                        SCALING, "is of type '" + type + "'; Demitasse knows linear, dynamic, llama3, yarn, longrope");
        };
    }

    private static RopeScaling yarn(ConfigJson json, ConfigJson scaling) {
        double factor = scaling.number("factor", 1);
        return new RopeScaling.Yarn(
                factor,
                scaling.size(ORIGINAL_POSITIONS, json.size("max_position_embeddings")),
                scaling.number("beta_fast", RopeScaling.Yarn.BETA_FAST),
                scaling.number("beta_slow", RopeScaling.Yarn.BETA_SLOW),
                scaling.number("attention_factor", RopeScaling.Yarn.usualAttentionFactor(factor)));
    }

    private static RopeScaling longRope(ConfigJson json, ConfigJson scaling) {
        int stretched = json.size("max_position_embeddings");
        int original = json.size(ORIGINAL_POSITIONS, scaling.size(ORIGINAL_POSITIONS, stretched));
        double ratio = json.has(ORIGINAL_POSITIONS) || !scaling.has("factor")
                ? (double) stretched / original
                : scaling.number("factor", 1);
        List<Double> shortFactors = scaling.numbers("short_factor");
        List<Double> longFactors = scaling.numbers("long_factor");
        double attention = scaling.number(
                "attention_factor", RopeScaling.LongRope.usualAttentionFactor(original, original * ratio));
        // One list of factors for every length is how factors from a GGUF file are written.
        return shortFactors.equals(longFactors) && attention == 1
                ? new RopeScaling.Factors(longFactors)
                : new RopeScaling.LongRope(shortFactors, longFactors, original, attention);
    }

    /**
     * What {@link #sizes}, {@link #attention} and the rest read, under the family's names.
     *
     * @param names the family's name of a key, by Llama's
     */
    static ObjectNode write(ModelConfig config, Map<String, String> names) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        config.family().architectures().stream().findFirst().ifPresent(json.putArray("architectures")::add);
        json.put("model_type", config.family().id());
        json.put("vocab_size", config.vocabularySize());
        json.put("hidden_size", config.hiddenSize());
        json.put("intermediate_size", config.feedForward().intermediateSize());
        json.put("num_hidden_layers", config.layers());
        json.put("num_attention_heads", config.attention().heads());
        json.put("num_key_value_heads", config.attention().keyValueHeads());
        json.put("head_dim", config.attention().headDimension());
        json.put("hidden_act", name(config.feedForward().activation()));
        json.put("max_position_embeddings", config.maximumPositions());
        json.put("tie_word_embeddings", config.tiedHead());
        json.put("attention_dropout", 0.0);
        json.put("initializer_range", 0.02);
        json.put("use_cache", true);
        switch (config.norm()) {
            case Norm.Rms rms -> json.put("rms_norm_eps", rms.epsilon());
            case Norm.Layer layer -> json.put("layer_norm_eps", layer.epsilon());
        }
        if (config.positions() instanceof Rotary rotary) {
            json.put("rope_theta", rotary.base());
            json.set(SCALING, writeScaling(config, json, rotary.scaling()));
        }
        specialTokens(config.specialTokens(), json);
        names.forEach((ours, theirs) -> {
            JsonNode value = json.remove(ours);
            if (value != null) {
                json.set(theirs, value);
            }
        });
        return json;
    }

    private static void specialTokens(SpecialTokens special, ObjectNode json) {
        special.bos().ifPresent(id -> json.put("bos_token_id", id));
        special.pad().ifPresent(id -> json.put("pad_token_id", id));
        if (special.eos().size() == 1) {
            json.put("eos_token_id", special.eos().getFirst());
        } else if (!special.eos().isEmpty()) {
            ArrayNode eos = json.putArray("eos_token_id");
            special.eos().forEach(eos::add);
        }
    }

    /** {@code scaling} as {@code rope_scaling} has it; adds to {@code root} what stands outside. */
    static JsonNode writeScaling(ModelConfig config, ObjectNode root, RopeScaling scaling) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        return switch (scaling) {
            case RopeScaling.None none -> JsonNodeFactory.instance.nullNode();
            case RopeScaling.Linear linear -> json.put("rope_type", "linear").put("factor", linear.factor());
            case RopeScaling.Dynamic dynamic -> {
                root.put("max_position_embeddings", dynamic.originalMaximumPositions());
                yield json.put("rope_type", "dynamic").put("factor", dynamic.factor());
            }
            case RopeScaling.Llama3 llama3 ->
                json.put("rope_type", "llama3")
                        .put("factor", llama3.factor())
                        .put("low_freq_factor", llama3.lowFrequencyFactor())
                        .put("high_freq_factor", llama3.highFrequencyFactor())
                        .put(ORIGINAL_POSITIONS, llama3.originalMaximumPositions());
            case RopeScaling.Yarn yarn ->
                json.put("rope_type", "yarn")
                        .put("factor", yarn.factor())
                        .put("beta_fast", yarn.betaFast())
                        .put("beta_slow", yarn.betaSlow())
                        .put("attention_factor", yarn.attentionFactor())
                        .put(ORIGINAL_POSITIONS, yarn.originalMaximumPositions());
            case RopeScaling.Factors list ->
                longRope(json, list.factors(), list.factors(), config.maximumPositions(), 1);
            case RopeScaling.LongRope rope -> {
                root.put(ORIGINAL_POSITIONS, rope.originalMaximumPositions());
                yield longRope(
                        json,
                        rope.shortFactors(),
                        rope.longFactors(),
                        rope.originalMaximumPositions(),
                        rope.attentionFactor());
            }
        };
    }

    private static ObjectNode longRope(
            ObjectNode json, List<Double> shortFactors, List<Double> longFactors, int original, double attention) {
        json.put("rope_type", "longrope");
        shortFactors.forEach(json.putArray("short_factor")::add);
        longFactors.forEach(json.putArray("long_factor")::add);
        return json.put("attention_factor", attention).put(ORIGINAL_POSITIONS, original);
    }
}
