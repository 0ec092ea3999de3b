package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * OPT (arXiv:2205.01068 §2.1): learned positions from row 2 of their table; OPT-350M normalizes after each block, has no
 * last norm, and projects a narrower embedding to the width of the residual stream and back.
 */
final class Opt implements Family {
    private static final int OFFSET = 2;
    private static final double EPSILON = 1e-5;
    private static final Map<String, String> NAMES =
            Map.of("intermediate_size", "ffn_dim", "hidden_act", "activation_function");

    @Override
    public String id() {
        return "opt";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("OPTForCausalLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        String layer = "model.decoder.layers.{i}.";
        Place attentionNorm = Place.own(layer + "self_attn_layer_norm");
        Place feedForwardNorm = Place.own(layer + "final_layer_norm");
        return new TensorNames(config)
                .optionalPrefix("model.")
                .huggingFace(Role.EMBEDDING, Place.own("model.decoder.embed_tokens"))
                .huggingFace(Role.POSITION_EMBEDDING, Place.own("model.decoder.embed_positions"))
                .huggingFace(Role.PROJECT_IN, Place.own("model.decoder.project_in"))
                .huggingFace(Role.ATTENTION_NORM, attentionNorm)
                .huggingFace(Role.QUERY, Place.own(layer + "self_attn.q_proj"))
                .huggingFace(Role.KEY, Place.own(layer + "self_attn.k_proj"))
                .huggingFace(Role.VALUE, Place.own(layer + "self_attn.v_proj"))
                .huggingFace(Role.ATTENTION_OUTPUT, Place.own(layer + "self_attn.out_proj"))
                .huggingFace(Role.ATTENTION_POST_NORM, attentionNorm)
                .huggingFace(Role.FEED_FORWARD_NORM, feedForwardNorm)
                .huggingFace(Role.UP, Place.own(layer + "fc1"))
                .huggingFace(Role.DOWN, Place.own(layer + "fc2"))
                .huggingFace(Role.FEED_FORWARD_POST_NORM, feedForwardNorm)
                .huggingFace(Role.FINAL_NORM, Place.own("model.decoder.final_layer_norm"))
                .huggingFace(Role.PROJECT_OUT, Place.own("model.decoder.project_out"))
                .huggingFace(Role.HEAD, Place.own("lm_head"));
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(NAMES);
        int width = json.size("hidden_size");
        int positions = json.size("max_position_embeddings", 2048);
        boolean biases = json.flag("enable_bias", true);
        boolean affine = json.flag("layer_norm_elementwise_affine", true);
        boolean before = json.flag("do_layer_norm_before", true);
        boolean finalNorm = before && !json.flag("_remove_final_layer_norm", false);
        return GptKeys.near(this, json, 2048, "relu", true)
                .embedding(InputEmbedding.plain(json.size("word_embed_proj_dim", width))
                        .withPositions(Math.addExact(positions, OFFSET), OFFSET))
                .attention(GptKeys.attention(json).withBiases(biases ? Attention.PROJECTIONS : Set.of()))
                .feedForward(FeedForward.plain(
                        json.size("intermediate_size", 3072),
                        ConfigKeys.activation(json, "hidden_act", "relu"),
                        biases))
                .norm(new Norm.Layer(EPSILON, affine, affine))
                .residual(before ? Residual.PRE_NORM : Residual.POST_NORM)
                .head(Head.plain(json.flag("tie_word_embeddings", true)).withNorm(finalNorm))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        boolean before = config.residual() == Residual.PRE_NORM;
        return GptKeys.write(config, NAMES)
                .put("word_embed_proj_dim", config.embedding().width())
                .put("enable_bias", config.feedForward().bias())
                .put("layer_norm_elementwise_affine", config.norm().weight())
                .put("do_layer_norm_before", before)
                .put("_remove_final_layer_norm", before && !config.head().norm())
                .put("attention_dropout", 0.0)
                .put("dropout", 0.1)
                .put("layerdrop", 0.0)
                .put("init_std", 0.02)
                .remove(List.of("layer_norm_eps", "initializer_range"));
    }
}
