package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * DistilBERT with its masked-language-model head (arXiv:1910.01108 §3): BERT without segments, under other names.
 */
final class DistilBert implements Family {
    private static final double EPSILON = 1e-12;
    private static final Map<String, String> NAMES = Map.of(
            "hidden_size", "dim",
            "num_hidden_layers", "n_layers",
            "num_attention_heads", "n_heads",
            "intermediate_size", "hidden_dim",
            "hidden_act", "activation");

    @Override
    public String id() {
        return "distilbert";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("DistilBertForMaskedLM");
    }

    @Override
    public TensorNames names(ModelConfig config) {
        String layer = "distilbert.transformer.layer.{i}.";
        return new TensorNames(config)
                .huggingFace(Role.EMBEDDING, Place.own("distilbert.embeddings.word_embeddings"))
                .huggingFace(Role.POSITION_EMBEDDING, Place.own("distilbert.embeddings.position_embeddings"))
                .huggingFace(Role.EMBEDDING_NORM, Place.own("distilbert.embeddings.LayerNorm"))
                .huggingFace(Role.QUERY, Place.own(layer + "attention.q_lin"))
                .huggingFace(Role.KEY, Place.own(layer + "attention.k_lin"))
                .huggingFace(Role.VALUE, Place.own(layer + "attention.v_lin"))
                .huggingFace(Role.ATTENTION_OUTPUT, Place.own(layer + "attention.out_lin"))
                .huggingFace(Role.ATTENTION_POST_NORM, Place.own(layer + "sa_layer_norm"))
                .huggingFace(Role.UP, Place.own(layer + "ffn.lin1"))
                .huggingFace(Role.DOWN, Place.own(layer + "ffn.lin2"))
                .huggingFace(Role.FEED_FORWARD_POST_NORM, Place.own(layer + "output_layer_norm"))
                .huggingFace(Role.HEAD_TRANSFORM, Place.own("vocab_transform"))
                .huggingFace(Role.HEAD_NORM, Place.own("vocab_layer_norm"))
                .huggingFace(Role.HEAD, Place.own("vocab_projector"));
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(NAMES);
        Activation activation = ConfigKeys.activation(json, "hidden_act", "gelu");
        return GptKeys.near(this, json, 512, "gelu", true)
                .embedding(GptKeys.learned(json, 512).withNorm(true))
                .attention(GptKeys.attention(json).withBiases(Attention.PROJECTIONS))
                .feedForward(FeedForward.plain(json.size("intermediate_size", 3072), activation, true))
                .norm(new Norm.Layer(EPSILON))
                .residual(Residual.POST_NORM)
                .causal(false)
                .head(Head.plain(json.flag("tie_word_embeddings", true))
                        .withNorm(false)
                        .withBias(true)
                        .withTransform(Optional.of(activation)))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return GptKeys.write(config, NAMES)
                .put("sinusoidal_pos_embds", false)
                .put("attention_dropout", 0.1)
                .put("dropout", 0.1)
                .put("qa_dropout", 0.1)
                .put("seq_classif_dropout", 0.2)
                .remove(List.of("layer_norm_eps", "use_cache"));
    }
}
