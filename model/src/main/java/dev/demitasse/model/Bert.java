package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.TensorKey.Part;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * BERT with its masked-language-model head (arXiv:1810.04805 §3), MiniLM and TinyBERT among its students: every token sees
 * all, norms after each block and after the embedding, learned positions and segments. llama.cpp's BERT has no such head,
 * so GGUF has not this model.
 */
final class Bert implements Family {
    private static final Set<String> ARCHITECTURES =
            Collections.unmodifiableSet(new LinkedHashSet<>(List.of("BertForMaskedLM", "BertForPreTraining")));

    @Override
    public String id() {
        return "bert";
    }

    @Override
    public Set<String> architectures() {
        return ARCHITECTURES;
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return encoder(config, "bert.")
                .huggingFace(Role.HEAD_TRANSFORM, Place.own("cls.predictions.transform.dense"))
                .huggingFace(Role.HEAD_NORM, Place.own("cls.predictions.transform.LayerNorm"))
                .huggingFace(Role.HEAD, Place.own("cls.predictions.decoder"))
                .exact(TensorKey.weight(Role.HEAD).part(Part.BIAS), "cls.predictions.bias");
    }

    /** Names of all but the head, which RoBERTa has too. */
    static TensorNames encoder(ModelConfig config, String prefix) {
        String layer = prefix + "encoder.layer.{i}.";
        return new TensorNames(config)
                .huggingFace(Role.EMBEDDING, Place.own(prefix + "embeddings.word_embeddings"))
                .huggingFace(Role.POSITION_EMBEDDING, Place.own(prefix + "embeddings.position_embeddings"))
                .huggingFace(Role.TOKEN_TYPE_EMBEDDING, Place.own(prefix + "embeddings.token_type_embeddings"))
                .huggingFace(Role.EMBEDDING_NORM, Place.own(prefix + "embeddings.LayerNorm"))
                .huggingFace(Role.QUERY, Place.own(layer + "attention.self.query"))
                .huggingFace(Role.KEY, Place.own(layer + "attention.self.key"))
                .huggingFace(Role.VALUE, Place.own(layer + "attention.self.value"))
                .huggingFace(Role.ATTENTION_OUTPUT, Place.own(layer + "attention.output.dense"))
                .huggingFace(Role.ATTENTION_POST_NORM, Place.own(layer + "attention.output.LayerNorm"))
                .huggingFace(Role.UP, Place.own(layer + "intermediate.dense"))
                .huggingFace(Role.DOWN, Place.own(layer + "output.dense"))
                .huggingFace(Role.FEED_FORWARD_POST_NORM, Place.own(layer + "output.LayerNorm"));
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        Activation activation = ConfigKeys.activation(json, "hidden_act", "gelu");
        return near(this, json, 0, activation).build();
    }

    /**
     * BERT's likes.
     *
     * @param offset which row of the table of positions is the first token's
     * @param head the activation of the head's own layer
     */
    static ModelConfigBuilder near(Family family, ConfigJson json, int offset, Activation head) {
        json.refuse("is_decoder", false);
        json.refuse("add_cross_attention", false);
        String positions = json.text("position_embedding_type", "absolute");
        if (!positions.equals("absolute")) {
            throw json.malformed("position_embedding_type", "is '" + positions + "'; Demitasse knows absolute");
        }
        int rows = json.size("max_position_embeddings", 512);
        if (offset >= rows) {
            throw json.malformed(
                    "max_position_embeddings", "is %d, of which %d are no positions".formatted(rows, offset));
        }
        return GptKeys.near(family, json, 512, "gelu", true)
                .feedForward(FeedForward.plain(
                        json.size("intermediate_size", 3072), ConfigKeys.activation(json, "hidden_act", "gelu"), true))
                .attention(GptKeys.attention(json).withBiases(Attention.PROJECTIONS))
                .embedding(InputEmbedding.plain(json.size("hidden_size"))
                        .withPositions(rows, offset)
                        .withTokenTypes(json.size("type_vocab_size", 2))
                        .withNorm(true))
                .maximumPositions(rows - offset)
                .norm(new Norm.Layer(json.number("layer_norm_eps", 1e-12)))
                .residual(Residual.POST_NORM)
                .causal(false)
                .head(Head.plain(json.flag("tie_word_embeddings", true))
                        .withNorm(false)
                        .withBias(true)
                        .withTransform(Optional.of(head)));
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return writeEncoder(config);
    }

    /** What {@link #near} reads. */
    static ObjectNode writeEncoder(ModelConfig config) {
        return GptKeys.write(config, Map.of())
                .put("max_position_embeddings", config.embedding().positions())
                .put("type_vocab_size", config.embedding().tokenTypes())
                .put("position_embedding_type", "absolute")
                .put("attention_probs_dropout_prob", 0.1)
                .put("hidden_dropout_prob", 0.1)
                .putNull("classifier_dropout")
                .remove(List.of("attention_dropout"));
    }
}
