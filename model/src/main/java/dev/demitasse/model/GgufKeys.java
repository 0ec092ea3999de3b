package dev.demitasse.model;

import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Positions.Alibi;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.IntFunction;
import java.util.function.ToIntFunction;
import java.util.function.UnaryOperator;

/**
 * GGUF metadata keys that architectures share, each under the architecture's name (ggml, docs/gguf.md; llama.cpp,
 * src/llama-arch.cpp). What the keys of an architecture leave unsaid is the family's to add.
 */
final class GgufKeys {
    private static final String LAYER_EPSILON = "attention.layer_norm_epsilon";
    private static final String RMS_EPSILON = "attention.layer_norm_rms_epsilon";
    /** Which layers slide, true or false for each. */
    private static final String WINDOW_PATTERN = "attention.sliding_window_pattern";

    private static final String SCALING_TYPE = "rope.scaling.type";
    private static final String SCALING_FACTOR = "rope.scaling.factor";
    private static final String SCALING_ATTENTION = "rope.scaling.attn_factor";
    private static final String SCALING_ORIGINAL = "rope.scaling.original_context_length";
    private static final String BETA_FAST = "rope.scaling.yarn_beta_fast";
    private static final String BETA_SLOW = "rope.scaling.yarn_beta_slow";

    private static final String ACTIVATION = "hidden_activation";

    private final Family family;
    private final GgufMetadata metadata;
    private final String prefix;

    GgufKeys(Family family, GgufMetadata metadata) {
        this.family = family;
        this.metadata = metadata;
        this.prefix = architecture(family) + ".";
    }

    private static String architecture(Family family) {
        return family.ggufArchitecture()
                .orElseThrow(() -> new IllegalArgumentException(family.id() + " has no GGUF files"));
    }

    /** All that is said, gated SILU and norms of the kind whose epsilon is there otherwise. */
    ModelConfigBuilder config() {
        return unplaced().positions(rotary());
    }

    /** As above, positions entering nowhere. */
    ModelConfigBuilder unplaced() {
        int hiddenSize = size("embedding_length");
        Head head = Head.plain(false)
                .withSoftCap(optional("final_logit_softcapping"))
                .withScale(number("logit_scale", 1));
        return ModelConfig.of(family)
                .vocabularySize(vocabularySize())
                .hiddenSize(hiddenSize)
                .layers(size("block_count"))
                .maximumPositions(metadata.size(prefix + "context_length", 2048))
                .embedding(InputEmbedding.plain(hiddenSize).withScale(number("embedding_scale", 1)))
                .residualScale(number("residual_scale", 1))
                .norm(norm())
                .attention(attentions())
                .feedForward(feedForwards(Activation.SILU, true))
                .positions(new Positions.None())
                .head(head)
                .specialTokens(specialTokens());
    }

    int size(String key) {
        return metadata.size(prefix + key);
    }

    int size(String key, int otherwise) {
        return metadata.size(prefix + key, otherwise);
    }

    double number(String key, double otherwise) {
        return metadata.number(prefix + key, otherwise);
    }

    boolean flag(String key, boolean otherwise) {
        return metadata.flag(prefix + key, otherwise);
    }

    /** The number, where it is there and above 0. */
    OptionalDouble optional(String key) {
        double number = number(key, 0);
        return number == 0 ? OptionalDouble.empty() : OptionalDouble.of(number);
    }

    /** A number for each layer, or one for all. */
    int size(String key, int layer, int otherwise) {
        return metadata.perLayer(prefix + key, layer).orElse(otherwise);
    }

    /** The activation, where the file says it; ggml computes every GELU by the tanh formula. */
    Activation activation(Activation otherwise) {
        String name = metadata.text(prefix + ACTIVATION).orElse("");
        return Arrays.stream(Activation.values())
                .filter(candidate -> ConfigKeys.name(candidate).equals(name))
                .findFirst()
                .orElse(otherwise);
    }

    /**
     * Refuses what llama.cpp would run as another model, for want of a key.
     *
     * @throws InvalidRequestException if {@code there}
     */
    static void refuse(ModelConfig config, boolean there, String what) {
        if (there) {
            throw new InvalidRequestException(
                    "GGUF",
                    "llama.cpp's %s has no %s"
                            .formatted(config.family().ggufArchitecture().orElseThrow(), what),
                    "export the model to ONNX");
        }
    }

    /** Refuses scores that are multiplied otherwise than by 1/√headDimension. */
    static void refuseScales(ModelConfig config) {
        boolean other = config.blocks().stream()
                .map(Block::attention)
                .anyMatch(attention -> attention.scale() != Attention.usualScale(attention.headDimension()));
        refuse(config, other, "attention scale but 1/√(width of a head)");
    }

    /** GPT-2's likes: all that is said, layer norms and a feed-forward block without gate, with biases or not. */
    ModelConfigBuilder withoutGate(Activation otherwise) {
        return unplaced()
                .norm(new Norm.Layer(number(LAYER_EPSILON, 1e-5)))
                .feedForward(feedForwards(activation(otherwise), false));
    }

    /** A table of as many learned positions as the context is long. */
    InputEmbedding learned() {
        return InputEmbedding.plain(size("embedding_length")).withPositions(size("context_length"), 0);
    }

    int slidingWindow() {
        return size("attention.sliding_window", Attention.FULL);
    }

    private boolean slides(int layer) {
        if (!metadata.isList(prefix + WINDOW_PATTERN)) {
            return true;
        }
        List<Boolean> pattern =
                metadata.list(prefix + WINDOW_PATTERN, Boolean.class).orElseThrow();
        if (layer >= pattern.size()) {
            throw metadata.malformed(prefix + WINDOW_PATTERN, "says nothing of layer " + layer);
        }
        return pattern.get(layer);
    }

    Norm norm() {
        return metadata.has(prefix + LAYER_EPSILON)
                ? new Norm.Layer(number(LAYER_EPSILON, 1e-5))
                : new Norm.Rms(number(RMS_EPSILON, 1e-5));
    }

    /** Each layer's attention, read once where all are alike. */
    IntFunction<Attention> attentions() {
        if (metadata.isList(prefix + "attention.head_count")
                || metadata.isList(prefix + "attention.head_count_kv")
                || metadata.isList(prefix + WINDOW_PATTERN)) {
            return this::attention;
        }
        Attention all = attention(0);
        return layer -> all;
    }

    /** Each layer's attention, with what the keys leave unsaid. */
    IntFunction<Attention> attentions(UnaryOperator<Attention> completed) {
        IntFunction<Attention> said = attentions();
        Attention first = completed.apply(said.apply(0));
        return layer ->
                layer == 0 || said.apply(layer).equals(said.apply(0)) ? first : completed.apply(said.apply(layer));
    }

    /**
     * Each layer's feed-forward block where there are experts: those of all layers but the first
     * {@code leading_dense_block_count}.
     *
     * @param normalized whether the weights of the experts used are divided by their sum, where the file does not say
     */
    IntFunction<FeedForward> experts(boolean normalized) {
        IntFunction<FeedForward> dense = feedForwards(Activation.SILU, true);
        int count = size("expert_count", 1);
        if (count == 1) {
            return dense;
        }
        Experts experts = new Experts(
                count,
                size("expert_used_count"),
                flag("expert_weights_norm", normalized),
                metadata.has(prefix + "expert_shared_feed_forward_length")
                        ? size("expert_shared_feed_forward_length")
                        : 0);
        boolean said = metadata.has(prefix + "expert_feed_forward_length");
        int neurons = size(said ? "expert_feed_forward_length" : "feed_forward_length");
        FeedForward sparse = FeedForward.experts(neurons, Activation.SILU, experts);
        return layer -> sparse;
    }

    /** Each layer's feed-forward block, read once where all are alike. */
    IntFunction<FeedForward> feedForwards(Activation activation, boolean gated) {
        if (metadata.isList(prefix + "feed_forward_length")) {
            return layer -> feedForward(layer, activation, gated);
        }
        FeedForward all = feedForward(0, activation, gated);
        return layer -> all;
    }

    private Attention attention(int layer) {
        int heads = size("attention.head_count", layer, 0);
        if (heads == 0) {
            throw metadata.malformed(prefix + "attention.head_count", "is missing");
        }
        int headDimension = size("attention.key_length", Math.max(1, size("embedding_length") / heads));
        int valueLength = size("attention.value_length", headDimension);
        if (valueLength != headDimension) {
            throw metadata.malformed(
                    prefix + "attention.value_length", "is %d, keys have %d".formatted(valueLength, headDimension));
        }
        return Attention.of(heads, size("attention.head_count_kv", layer, heads), headDimension)
                .withSlidingWindow(slides(layer) ? slidingWindow() : Attention.FULL)
                .withScale(number("attention.scale", Attention.usualScale(headDimension)))
                .withSoftCap(optional("attn_logit_softcapping"))
                .withClip(optional("attention.clamp_kqv"));
    }

    private FeedForward feedForward(int layer, Activation activation, boolean gated) {
        return new FeedForward(size("feed_forward_length", layer, 0), activation, gated, false, Optional.empty());
    }

    /** Rotary positions over all dimensions of a head, or as many as are said. */
    Rotary rotary() {
        return rotary(10_000);
    }

    /** As above, with the base that holds if none is said. */
    Rotary rotary(double base) {
        return new Rotary(
                size("rope.dimension_count", attention(0).headDimension()),
                number("rope.freq_base", base),
                scaling(),
                family.ggufPairing());
    }

    private RopeScaling scaling() {
        String type = metadata.text(prefix + SCALING_TYPE).orElse("none");
        double factor = number(SCALING_FACTOR, 1);
        return switch (type) {
            // The factors of longrope stand in tensors.
            case "none", "longrope" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(factor);
            case "yarn" ->
                new RopeScaling.Yarn(
                        factor,
                        size(SCALING_ORIGINAL, size("context_length")),
                        number(BETA_FAST, RopeScaling.Yarn.BETA_FAST),
                        number(BETA_SLOW, RopeScaling.Yarn.BETA_SLOW),
                        // llama.cpp multiplies the usual factor by this one.
                        number(SCALING_ATTENTION, 1) * RopeScaling.Yarn.usualAttentionFactor(factor));
            default ->
                throw metadata.malformed(
                        prefix + SCALING_TYPE, "is '" + type + "'; Demitasse knows none, linear, yarn, longrope");
        };
    }

    /** Factors of longrope, which stand in tensors, as the scaling that metadata completes. */
    static RopeScaling longRope(
            GgufMetadata metadata, ModelConfig config, List<Double> shortFactors, List<Double> longFactors) {
        GgufKeys keys = new GgufKeys(config.family(), metadata);
        int original = keys.size(SCALING_ORIGINAL, config.maximumPositions());
        return new RopeScaling.LongRope(shortFactors, longFactors, original, keys.number(SCALING_ATTENTION, 1));
    }

    private int vocabularySize() {
        int tokens = metadata.list("tokenizer.ggml.tokens", String.class)
                .map(List::size)
                .orElse(0);
        return tokens == 0 ? size("vocab_size") : size("vocab_size", tokens);
    }

    private SpecialTokens specialTokens() {
        List<Integer> ends = new ArrayList<>();
        metadata.id("tokenizer.ggml.eos_token_id").ifPresent(ends::add);
        metadata.id("tokenizer.ggml.eot_token_id").stream()
                .filter(id -> !ends.contains(id))
                .forEach(ends::add);
        return new SpecialTokens(
                metadata.id("tokenizer.ggml.bos_token_id"), ends, metadata.id("tokenizer.ggml.padding_token_id"));
    }

    /** The keys that {@link #config} reads, of a model of a family that GGUF has. */
    static Map<String, Object> write(ModelConfig config) {
        Map<String, Object> values = new LinkedHashMap<>();
        Attention attention = config.attention();
        values.put("vocab_size", config.vocabularySize());
        values.put("context_length", config.maximumPositions());
        values.put("embedding_length", config.hiddenSize());
        values.put("block_count", config.layers());
        values.put(
                "feed_forward_length",
                perLayer(config, block -> block.feedForward().intermediateSize()));
        values.put(
                "attention.head_count",
                perLayer(config, block -> block.attention().heads()));
        values.put(
                "attention.head_count_kv",
                perLayer(config, block -> block.attention().keyValueHeads()));
        values.put("attention.key_length", attention.headDimension());
        values.put("attention.value_length", attention.headDimension());
        switch (config.norm()) {
            case Norm.Rms rms -> values.put(RMS_EPSILON, (float) rms.epsilon());
            case Norm.Layer layer -> values.put(LAYER_EPSILON, (float) layer.epsilon());
        }
        config.blocks().stream()
                .mapToInt(block -> block.attention().slidingWindow())
                .filter(window -> window != Attention.FULL)
                .findFirst()
                .ifPresent(window -> values.put("attention.sliding_window", window));
        if (!config.feedForward().gated()) {
            values.put(ACTIVATION, ConfigKeys.name(config.feedForward().activation()));
        }
        List<Boolean> slides = config.blocks().stream()
                .map(block -> block.attention().slidingWindow() != Attention.FULL)
                .toList();
        if (!config.family().windowsInGguf() && slides.contains(true) && slides.contains(false)) {
            values.put(WINDOW_PATTERN, slides);
        }
        attention.clip().ifPresent(bound -> values.put("attention.clamp_kqv", (float) bound));
        attention.softCap().ifPresent(cap -> values.put("attn_logit_softcapping", (float) cap));
        config.head().softCap().ifPresent(cap -> values.put("final_logit_softcapping", (float) cap));
        writeExperts(config, values);
        writePositions(config, values);
        Map<String, Object> prefixed = new LinkedHashMap<>();
        String architecture = architecture(config.family());
        values.forEach((key, value) -> prefixed.put(architecture + "." + key, value));
        return prefixed;
    }

    private static void writeExperts(ModelConfig config, Map<String, Object> values) {
        Optional<FeedForward> sparse = config.blocks().stream()
                .map(Block::feedForward)
                .filter(feedForward -> feedForward.experts().isPresent())
                .findFirst();
        if (sparse.isEmpty()) {
            return;
        }
        Experts experts = sparse.get().experts().orElseThrow();
        values.put("expert_count", experts.count());
        values.put("expert_used_count", experts.used());
        values.put("expert_feed_forward_length", sparse.get().intermediateSize());
        values.put("expert_weights_norm", experts.normalized());
        if (experts.sharedSize() > 0) {
            values.put("expert_shared_feed_forward_length", experts.sharedSize());
        }
    }

    private static Object perLayer(ModelConfig config, ToIntFunction<Block> size) {
        List<Integer> sizes = config.blocks().stream().mapToInt(size).boxed().toList();
        return sizes.stream().distinct().count() == 1 ? sizes.getFirst() : sizes;
    }

    private static void writePositions(ModelConfig config, Map<String, Object> values) {
        switch (config.positions()) {
            case Positions.None none -> {}
            case Alibi alibi -> values.put("attention.max_alibi_bias", (float) alibi.maximumBias());
            case Rotary rotary -> {
                values.put("rope.dimension_count", rotary.dimensions());
                values.put("rope.freq_base", (float) rotary.base());
                writeScaling(rotary.scaling(), values);
            }
        }
    }

    private static void writeScaling(RopeScaling scaling, Map<String, Object> values) {
        switch (scaling) {
            case RopeScaling.None none -> {}
            case RopeScaling.Linear linear -> {
                values.put(SCALING_TYPE, "linear");
                values.put(SCALING_FACTOR, (float) linear.factor());
            }
            case RopeScaling.Yarn yarn -> {
                values.put(SCALING_TYPE, "yarn");
                values.put(SCALING_FACTOR, (float) yarn.factor());
                values.put(SCALING_ORIGINAL, yarn.originalMaximumPositions());
                values.put(BETA_FAST, (float) yarn.betaFast());
                values.put(BETA_SLOW, (float) yarn.betaSlow());
                double usual = RopeScaling.Yarn.usualAttentionFactor(yarn.factor());
                values.put(SCALING_ATTENTION, (float) (yarn.attentionFactor() / usual));
            }
            case RopeScaling.LongRope rope -> {
                values.put(SCALING_ORIGINAL, rope.originalMaximumPositions());
                values.put(SCALING_ATTENTION, (float) rope.attentionFactor());
            }
            // The factors of these stand in the tensor rope_freqs.weight, see Rotary.factors().
            case RopeScaling.Llama3 llama3 -> {}
            case RopeScaling.Factors factors -> {}
            // GGUF has no key for it: exporting says so.
            case RopeScaling.Dynamic dynamic -> {}
        }
    }
}
