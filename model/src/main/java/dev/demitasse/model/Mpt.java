package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Place.Order;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.Predicate;

/**
 * MPT (MosaicML, 2023): ALiBi or learned positions, layer norms mostly without biases, q, k and v cut to a bound.
 *
 * <p>There are two implementations of one config.json. That of transformers, {@code MptForCausalLM}, looks neither at
 * {@code no_bias}, {@code alibi}, {@code alibi_bias_max}, {@code qk_ln}, {@code attn_type}, {@code expansion_ratio} nor {@code logit_scale}: it has
 * no biases, always ALiBi, four times the width. The authors' own (llm-foundry), {@code MPTForCausalLM}, honours them all.
 */
final class Mpt implements Family {
    private static final String AUTHORS = "MPTForCausalLM";
    private static final Set<String> ARCHITECTURES =
            Collections.unmodifiableSet(new LinkedHashSet<>(List.of("MptForCausalLM", AUTHORS)));
    private static final double EPSILON = 1e-5;
    private static final int POSITIONS = 2048;
    private static final double ALIBI = 8;
    private static final Map<String, String> NAMES = Map.of(
            "hidden_size", "d_model",
            "num_hidden_layers", "n_layers",
            "num_attention_heads", "n_heads",
            "max_position_embeddings", "max_seq_len",
            "layer_norm_eps", "layer_norm_epsilon");

    @Override
    public String id() {
        return "mpt";
    }

    @Override
    public Set<String> architectures() {
        return ARCHITECTURES;
    }

    @Override
    public TensorNames names(ModelConfig config) {
        String block = "transformer.blocks.{i}.";
        return new TensorNames(config)
                .module(Role.EMBEDDING, "transformer.wte", "token_embd")
                .module(Role.POSITION_EMBEDDING, "transformer.wpe", "position_embd")
                .module(Role.ATTENTION_NORM, block + "norm_1", "blk.{i}.attn_norm")
                .huggingFace(Place.fused(block + "attn.Wqkv", Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .gguf(Place.fused("blk.{i}.attn_qkv", Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .module(Role.QUERY_NORM, block + "attn.q_ln", "blk.{i}.attn_q_norm")
                .module(Role.KEY_NORM, block + "attn.k_ln", "blk.{i}.attn_k_norm")
                .module(Role.ATTENTION_OUTPUT, block + "attn.out_proj", "blk.{i}.attn_output")
                .module(Role.FEED_FORWARD_NORM, block + "norm_2", "blk.{i}.ffn_norm")
                .module(Role.UP, block + "ffn.up_proj", "blk.{i}.ffn_up")
                .module(Role.DOWN, block + "ffn.down_proj", "blk.{i}.ffn_down")
                .module(Role.FINAL_NORM, "transformer.norm_f", "output_norm")
                .module(Role.HEAD, "lm_head", "output");
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(NAMES);
        ConfigJson inside = json.objectIfAny("attn_config");
        boolean authors = json.texts("architectures").contains(AUTHORS);
        if (authors) {
            refuseUnknown(json, inside);
        }
        Norm norm =
                new Norm.Layer(json.number("layer_norm_eps", EPSILON), true, authors && !json.flag("no_bias", true));
        int width = json.size("hidden_size");
        double ratio = authors ? json.number("expansion_ratio", 4) : 4;
        boolean alibi = !authors || inside.flag("alibi", false);
        boolean learned = !alibi && json.flag("learned_pos_emb", true);
        return GptKeys.near(this, json, POSITIONS, "gelu", true)
                .embedding(learned ? GptKeys.learned(json, POSITIONS) : InputEmbedding.plain(width))
                .attention(attention(json, inside, norm, authors))
                .feedForward(FeedForward.plain((int) (width * ratio), Activation.GELU, norm.bias()))
                .positions(positions(alibi, authors ? inside.number("alibi_bias_max", ALIBI) : ALIBI))
                .norm(norm)
                .head(Head.plain(json.flag("tie_word_embeddings", true)).withScale(authors ? logitScale(json) : 1))
                .build();
    }

    /** What only the authors' implementation reads, and Demitasse does not know. */
    private static void refuseUnknown(ConfigJson json, ConfigJson inside) {
        inside.refuse("prefix_lm", false);
        inside.refuse("rope", false);
        inside.refuse("qk_gn", false);
        if (inside.has("sliding_window_size") && inside.number("sliding_window_size", -1) != -1) {
            throw inside.malformed("sliding_window_size", "is set, which Demitasse does not know");
        }
        String norm = json.text("norm_type", "low_precision_layernorm");
        if (!norm.equals("low_precision_layernorm") && !norm.equals("layernorm")) {
            throw json.malformed("norm_type", "is '" + norm + "'; Demitasse knows layernorm");
        }
        String feedForward = json.objectIfAny("ffn_config").text("ffn_type", "mptmlp");
        if (!feedForward.equals("mptmlp")) {
            throw json.malformed("ffn_config", "is of type '" + feedForward + "'; Demitasse knows mptmlp");
        }
    }

    private static Attention attention(ConfigJson json, ConfigJson inside, Norm norm, boolean authors) {
        Attention usual = GptKeys.attention(json);
        double clip = inside.number("clip_qkv", 0);
        Attention scaled = usual.withScale(inside.number("softmax_scale", usual.scale()))
                .withClip(clip == 0 ? OptionalDouble.empty() : OptionalDouble.of(clip));
        if (!authors) {
            return scaled;
        }
        String type = inside.text("attn_type", "multihead_attention");
        int keyValueHeads = switch (type) {
            case "multihead_attention" -> usual.heads();
            case "multiquery_attention" -> 1;
            case "grouped_query_attention" -> inside.size("kv_n_heads");
            default ->
                throw inside.malformed(
                        "attn_type",
                        "is '" + type + "'; Demitasse knows multihead, multiquery and grouped_query_attention");
        };
        Optional<QueryKeyNorm> between =
                inside.flag("qk_ln", false) ? Optional.of(new QueryKeyNorm(norm, Scope.ALL_HEADS)) : Optional.empty();
        return scaled.withHeads(usual.heads(), keyValueHeads)
                .withBiases(norm.bias() ? Attention.PROJECTIONS : Set.of())
                .withQueryKeyNorm(between);
    }

    private static double logitScale(ConfigJson json) {
        String key = "logit_scale";
        if (json.text(key, "").equals("inv_sqrt_d_model")) {
            return 1 / Math.sqrt(json.size("hidden_size"));
        }
        return json.number(key, 1);
    }

    private static Positions positions(boolean alibi, double maximum) {
        return alibi ? new Positions.Alibi(maximum, false) : new Positions.None();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        ObjectNode json = GptKeys.write(config, NAMES);
        double ratio = (double) config.feedForward().intermediateSize() / config.hiddenSize();
        boolean alibi = config.positions() instanceof Positions.Alibi;
        boolean authors = ratio != 4
                || !config.positions().equals(positions(true, ALIBI))
                || config.norm().bias()
                || config.head().scale() != 1
                || config.attention().keyValueHeads() != config.attention().heads()
                || config.attention().queryKeyNorm().isPresent();
        if (authors) {
            json.putArray("architectures").add(AUTHORS);
        }
        if (ratio == (int) ratio) {
            json.put("expansion_ratio", (int) ratio);
        } else {
            // The product with the width is rounded down again.
            json.put("expansion_ratio", Math.nextUp(ratio));
        }
        if (config.head().scale() != 1) {
            json.put("logit_scale", config.head().scale());
        } else {
            json.putNull("logit_scale");
        }
        json.set("attn_config", writeAttention(config));
        return json.put("no_bias", !config.norm().bias())
                .put("learned_pos_emb", alibi || config.embedding().positions() > 0)
                .put("emb_pdrop", 0.0)
                .put("resid_pdrop", 0.0)
                .put("embedding_fraction", 1.0)
                .put("init_device", "cpu")
                .put("norm_type", "low_precision_layernorm")
                .put("use_cache", false)
                .put("verbose", 0)
                .remove(List.of("intermediate_size", "hidden_act", "attention_dropout"));
    }

    private static ObjectNode writeAttention(ModelConfig config) {
        Attention attention = config.attention();
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        if (attention.keyValueHeads() == attention.heads()) {
            json.put("attn_type", "multihead_attention");
        } else if (attention.keyValueHeads() == 1) {
            json.put("attn_type", "multiquery_attention");
        } else {
            json.put("attn_type", "grouped_query_attention").put("kv_n_heads", attention.keyValueHeads());
        }
        json.putNull("clip_qkv").putNull("softmax_scale");
        attention.clip().ifPresent(bound -> json.put("clip_qkv", bound));
        if (attention.scale() != Attention.usualScale(attention.headDimension())) {
            json.put("softmax_scale", attention.scale());
        }
        json.put("attn_impl", "torch")
                .put("attn_pdrop", 0)
                .put("attn_uses_sequence_id", false)
                .put("model_type", "")
                .put("prefix_lm", false)
                .put("qk_ln", attention.queryKeyNorm().isPresent());
        return config.positions() instanceof Positions.Alibi alibi
                ? json.put("alibi", true).put("alibi_bias_max", alibi.maximumBias())
                : json.put("alibi", false).put("alibi_bias_max", ALIBI);
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("mpt");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        double bias = keys.number("attention.max_alibi_bias", 0);
        return keys.withoutGate(Activation.GELU)
                .positions(positions(bias > 0, bias))
                .build();
    }

    @Override
    public ModelConfig completed(ModelConfig config, Predicate<String> tensors) {
        ModelConfig completed = config;
        if (tensors.test("position_embd.weight")) {
            completed = completed.withEmbedding(config.embedding().withPositions(config.maximumPositions(), 0));
        }
        if (tensors.test("blk.0.attn_q_norm.weight")) {
            double epsilon = config.norm().epsilon();
            Norm norm = new Norm.Layer(epsilon, true, tensors.test("blk.0.attn_q_norm.bias"));
            QueryKeyNorm between = new QueryKeyNorm(norm, Scope.ALL_HEADS);
            completed = completed.withEachBlock(
                    block -> block.withAttention(block.attention().withQueryKeyNorm(Optional.of(between))));
        }
        return completed;
    }

    @Override
    public Optional<String> beyondLlamaCpp(ModelConfig config) {
        return config.attention().queryKeyNorm().isPresent()
                ? Optional.of("llama.cpp ends with an assertion at this architecture's norms of queries and keys")
                : Optional.empty();
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        GgufKeys.refuseScales(config);
        GgufKeys.refuse(config, config.head().scale() != 1, "scale of logits");
        return GgufKeys.write(config);
    }
}
