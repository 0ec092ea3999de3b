package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Place.Order;
import dev.demitasse.model.gguf.GgufMetadata;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * BLOOM (arXiv:2211.05100 §3.2): ALiBi in place of positions, a norm after the embedding, biases everywhere.
 */
final class Bloom implements Family {
    private static final double ALIBI = 8;
    private static final int POSITIONS = 2048;
    private static final Map<String, String> NAMES = Map.of(
            "num_hidden_layers", "n_layer",
            "num_attention_heads", "n_head",
            "layer_norm_eps", "layer_norm_epsilon");
    /** The first checkpoints have another name for the width of the residual stream. */
    private static final Map<String, String> FIRST_NAMES = GptKeys.with(NAMES, Map.of("hidden_size", "n_embed"));

    @Override
    public String id() {
        return "bloom";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("BloomForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return new TensorNames(config)
                .optionalPrefix("transformer.")
                .module(Role.EMBEDDING, "transformer.word_embeddings", "token_embd")
                .module(Role.EMBEDDING_NORM, "transformer.word_embeddings_layernorm", "token_embd_norm")
                .module(Role.ATTENTION_NORM, "transformer.h.{i}.input_layernorm", "blk.{i}.attn_norm")
                .huggingFace(Place.fused(
                        "transformer.h.{i}.self_attention.query_key_value",
                        Order.GROUPED,
                        Role.QUERY,
                        Role.KEY,
                        Role.VALUE))
                .gguf(Place.fused("blk.{i}.attn_qkv", Order.CONCATENATED, Role.QUERY, Role.KEY, Role.VALUE))
                .module(Role.ATTENTION_OUTPUT, "transformer.h.{i}.self_attention.dense", "blk.{i}.attn_output")
                .module(Role.FEED_FORWARD_NORM, "transformer.h.{i}.post_attention_layernorm", "blk.{i}.ffn_norm")
                .module(Role.UP, "transformer.h.{i}.mlp.dense_h_to_4h", "blk.{i}.ffn_up")
                .module(Role.DOWN, "transformer.h.{i}.mlp.dense_4h_to_h", "blk.{i}.ffn_down")
                .module(Role.FINAL_NORM, "transformer.ln_f", "output_norm")
                .module(Role.HEAD, "lm_head", "output");
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(FIRST_NAMES);
        json.refuse("apply_residual_connection_post_layernorm", false);
        int width = json.size("hidden_size");
        return GptKeys.near(this, json, POSITIONS, "gelu_new", true)
                .maximumPositions(json.size("seq_length", POSITIONS))
                .embedding(InputEmbedding.plain(width).withNorm(true))
                .attention(GptKeys.attention(json).withBiases(Attention.PROJECTIONS))
                .feedForward(FeedForward.plain(Math.multiplyExact(4, width), Activation.GELU_TANH, true))
                .positions(new Positions.Alibi(ALIBI, false))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return GptKeys.write(config, NAMES)
                .put("seq_length", config.maximumPositions())
                .put("apply_residual_connection_post_layernorm", false)
                .put("attention_dropout", 0.0)
                .put("hidden_dropout", 0.0)
                .put("pretraining_tp", 1)
                .put("slow_but_exact", false)
                .remove(List.of("intermediate_size", "hidden_act", "max_position_embeddings"));
    }

    @Override
    public Optional<String> ggufArchitecture() {
        return Optional.of("bloom");
    }

    @Override
    public ModelConfig readGguf(GgufMetadata metadata) {
        GgufKeys keys = new GgufKeys(this, metadata);
        return keys.withoutGate(Activation.GELU_TANH)
                .embedding(InputEmbedding.plain(keys.size("embedding_length")).withNorm(true))
                .positions(new Positions.Alibi(ALIBI, false))
                .build();
    }

    @Override
    public Map<String, Object> writeGguf(ModelConfig config) {
        GgufKeys.refuseScales(config);
        return GgufKeys.write(config);
    }
}
