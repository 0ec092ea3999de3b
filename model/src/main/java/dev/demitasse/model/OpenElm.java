package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Place.Order;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.gguf.GgufMetadata;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * OpenELM (arXiv:2404.14619 §2.1): layers nearer the end have more heads and neurons; queries and keys are normalized;
 * q, k and v stand in one matrix, gate and up in another.
 */
final class OpenElm implements Family {
    private static final double EPSILON = 1e-6;
    private static final int DIVISOR = 256;
    private static final Map<String, String> NAMES = Map.of(
            "hidden_size", "model_dim",
            "num_hidden_layers", "num_transformer_layers",
            "hidden_act", "activation_fn_name",
            "max_position_embeddings", "max_context_length",
            "rope_theta", "rope_freq_constant");

    @Override
    public String id() {
        return "openelm";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("OpenELMForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        String layer = "transformer.layers.{i}.";
        TensorNames names = new TensorNames(config)
                .module(Role.EMBEDDING, "transformer.token_embeddings", "token_embd")
                .module(Role.ATTENTION_NORM, layer + "attn_norm", "blk.{i}.attn_norm")
                .huggingFace(Place.fused(layer + "attn.qkv_proj", Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .gguf(Place.fused("blk.{i}.attn_qkv", Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .module(Role.QUERY_NORM, layer + "attn.q_norm", "blk.{i}.attn_q_norm")
                .module(Role.KEY_NORM, layer + "attn.k_norm", "blk.{i}.attn_k_norm")
                .module(Role.ATTENTION_OUTPUT, layer + "attn.out_proj", "blk.{i}.attn_output")
                .module(Role.FEED_FORWARD_NORM, layer + "ffn_norm", "blk.{i}.ffn_norm")
                .module(Role.UP, layer + "ffn.proj_1", "blk.{i}.ffn_up")
                .gguf(Role.GATE, Place.own("blk.{i}.ffn_gate"))
                .module(Role.DOWN, layer + "ffn.proj_2", "blk.{i}.ffn_down")
                .module(Role.FINAL_NORM, "transformer.norm", "output_norm")
                .module(Role.HEAD, "lm_head", "output");
        return config.feedForward().gated()
                ? names.huggingFace(Place.fused(layer + "ffn.proj_1", Order.CONCATENATED, Role.GATE, Role.UP))
                : names;
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(NAMES);
        String norm = json.text("normalization_layer_name", "rms_norm");
        if (!norm.equals("rms_norm")) {
            throw json.malformed("normalization_layer_name", "is '" + norm + "'; Demitasse knows rms_norm");
        }
        int headDimension = json.size("head_dim");
        return ConfigKeys.sizes(this, json, true)
                .maximumPositions(json.size("max_position_embeddings", 2048))
                .attention(attentions(json, headDimension))
                .feedForward(feedForwards(json))
                .positions(Positions.Rotary.of(headDimension, json.number("rope_theta", 10_000)))
                .norm(new Norm.Rms(EPSILON))
                .head(Head.plain(json.flag("share_input_output_layers", false)))
                .build();
    }

    /** Heads are listed, or follow from the widths that {@code qkv_multipliers} says. */
    private static IntFunction<Attention> attentions(ConfigJson json, int headDimension) {
        Optional<QueryKeyNorm> between =
                json.flag("normalize_qk_projections", false) ? Optional.of(queryKeyNorm(EPSILON)) : Optional.empty();
        int groups = json.size("num_gqa_groups", 1);
        int layers = json.size("num_hidden_layers");
        List<Integer> queries = json.integers("num_query_heads");
        if (queries.isEmpty()) {
            int width = json.size("hidden_size");
            queries = perLayer(json, "qkv_multipliers", 1).stream()
                    .map(factor -> divisible(factor * width, Math.multiplyExact(headDimension, groups)) / headDimension)
                    .toList();
        }
        List<Integer> keys = json.integers("num_kv_heads");
        if (keys.isEmpty()) {
            keys = queries.stream().map(heads -> heads / groups).toList();
        }
        if (queries.size() != layers || keys.size() != layers) {
            throw json.malformed(
                    "num_query_heads",
                    "and num_kv_heads have %d and %d numbers for %d layers"
                            .formatted(queries.size(), keys.size(), layers));
        }
        List<Integer> queryHeads = queries;
        List<Integer> keyHeads = keys;
        return layer -> Attention.of(queryHeads.get(layer), keyHeads.get(layer), headDimension)
                .withQueryKeyNorm(between);
    }

    private static QueryKeyNorm queryKeyNorm(double epsilon) {
        return new QueryKeyNorm(new Norm.Rms(epsilon), Scope.HEAD);
    }

    /** A number for all layers, the first and the last layer's with even steps between, or one for each. */
    private static List<Double> perLayer(ConfigJson json, String key, double otherwise) {
        int layers = json.size("num_hidden_layers");
        if (layers > ModelConfig.MAXIMUM_LAYERS) {
            throw json.malformed("num_hidden_layers", "is %,d".formatted(layers));
        }
        List<Double> said = json.node(key).isArray() ? json.numbers(key) : List.of(json.number(key, otherwise));
        if (said.size() == 1) {
            return Collections.nCopies(layers, said.getFirst());
        }
        if (said.size() == 2) {
            return steps(said.getFirst(), said.getLast(), layers);
        }
        if (said.size() != layers) {
            throw json.malformed(key, "has %d numbers for %d layers".formatted(said.size(), layers));
        }
        return said;
    }

    /** Even steps, rounded to hundredths as Python does. */
    private static List<Double> steps(double first, double last, int count) {
        return IntStream.range(0, count)
                .mapToDouble(i ->
                        i == count - 1 && i > 0 ? last : first + i * ((last - first) / Math.max(1, count - 1)))
                .mapToObj(value -> new BigDecimal(value)
                        .setScale(2, RoundingMode.HALF_EVEN)
                        .doubleValue())
                .toList();
    }

    private static IntFunction<FeedForward> feedForwards(ConfigJson json) {
        List<Double> factors = perLayer(json, "ffn_multipliers", 4);
        int width = json.size("hidden_size");
        int divisor = json.size("ffn_dim_divisor", DIVISOR);
        Activation activation = ConfigKeys.activation(json, "hidden_act", "swish");
        boolean gated = json.flag("ffn_with_glu", true);
        return layer -> new FeedForward(
                divisible(factors.get(layer) * width, divisor), activation, gated, false, Optional.empty());
    }

    /** {@code value} rounded to a multiple of {@code divisor}, at least one, and upwards if it would lose a tenth. */
    private static int divisible(double value, int divisor) {
        int rounded = Math.max(divisor, (int) (value + divisor / 2.0) / divisor * divisor);
        return rounded < 0.9 * value ? Math.addExact(rounded, divisor) : rounded;
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        int divisor = divisor(config);
        ObjectNode json = ConfigKeys.write(config, NAMES);
        ArrayNode queries = json.putArray("num_query_heads");
        ArrayNode keys = json.putArray("num_kv_heads");
        ArrayNode neurons = json.putArray("ffn_multipliers");
        for (Block block : config.blocks()) {
            queries.add(block.attention().heads());
            keys.add(block.attention().keyValueHeads());
            neurons.add((double) block.feedForward().intermediateSize() / config.hiddenSize());
        }
        writeWidths(config, json);
        return json.put("ffn_dim_divisor", divisor)
                .put("num_gqa_groups", config.attention().groupSize())
                .put("ffn_with_glu", config.feedForward().gated())
                .put("activation_fn_name", "swish")
                .put("normalization_layer_name", "rms_norm")
                .put(
                        "normalize_qk_projections",
                        config.attention().queryKeyNorm().isPresent())
                .put("share_input_output_layers", config.tiedHead())
                .put("rope_max_length", Math.multiplyExact(2L, config.maximumPositions()))
                .remove(List.of(
                        "num_attention_heads",
                        "num_key_value_heads",
                        "intermediate_size",
                        "rms_norm_eps",
                        "rope_scaling",
                        "attention_dropout"));
    }

    /**
     * The widths of attention of the first and the last layer, as factors of the residual stream's, if those between follow
     * from them: the authors' code looks at nothing else.
     */
    private static void writeWidths(ModelConfig config, ObjectNode json) {
        List<Attention> all = config.blocks().stream().map(Block::attention).toList();
        int headDimension = all.getFirst().headDimension();
        int divisor = headDimension * all.getFirst().groupSize();
        double first = (double) all.getFirst().queryWidth() / config.hiddenSize();
        double last = (double) all.getLast().queryWidth() / config.hiddenSize();
        List<Integer> widths = all.stream().map(Attention::queryWidth).toList();
        List<Integer> expected = steps(first, last, all.size()).stream()
                .map(factor -> divisible(factor * config.hiddenSize(), divisor))
                .toList();
        if (widths.stream().distinct().count() == 1) {
            json.put("qkv_multipliers", first);
        } else if (widths.equals(expected)) {
            json.putArray("qkv_multipliers").add(first).add(last);
        }
    }

    /** The usual one where it divides every layer's neurons, else the largest that does. */
    private static int divisor(ModelConfig config) {
        int common = DIVISOR;
        for (Block block : config.blocks()) {
            common = greatestCommonDivisor(common, block.feedForward().intermediateSize());
        }
        return common;
    }

    private static int greatestCommonDivisor(int one, int other) {
        return other == 0 ? one : greatestCommonDivisor(other, one % other);
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("openelm");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        QueryKeyNorm between = queryKeyNorm(keys.norm().epsilon());
        return keys.config()
                .attention(keys.attentions(attention -> attention.withQueryKeyNorm(Optional.of(between))))
                .build();
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        GgufKeys.refuse(config, !config.tiedHead(), "head of its own");
        GgufKeys.refuse(config, config.attention().queryKeyNorm().isEmpty(), "queries that are not normalized");
        GgufKeys.refuse(config, !config.feedForward().gated(), "feed-forward block without gate");
        return GgufKeys.write(config);
    }
}
