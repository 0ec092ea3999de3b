package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.Positions.Pairing;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * GPT-J (Wang and Komatsuzaki, 2021): attention and feed-forward block side by side after one norm, rotary positions over
 * a part of each head, neighbouring dimensions paired; the head has a bias.
 */
final class GptJ implements Family {
    private static final Map<String, String> NAMES = GptKeys.NAMES;

    @Override
    public String id() {
        return "gptj";
    }

    @Override
    public Set<String> architectures() {
        return Set.of("GPTJForCausalLM");
    }

    @Override
    public Pairing pairing() {
        return Pairing.INTERLEAVED;
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return new TensorNames(config)
                .optionalPrefix("transformer.")
                .huggingFace(Role.EMBEDDING, Place.own("transformer.wte"))
                .huggingFace(Role.ATTENTION_NORM, Place.own("transformer.h.{i}.ln_1"))
                .huggingFace(Role.QUERY, Place.own("transformer.h.{i}.attn.q_proj"))
                .huggingFace(Role.KEY, Place.own("transformer.h.{i}.attn.k_proj"))
                .huggingFace(Role.VALUE, Place.own("transformer.h.{i}.attn.v_proj"))
                .huggingFace(Role.ATTENTION_OUTPUT, Place.own("transformer.h.{i}.attn.out_proj"))
                .huggingFace(Role.UP, Place.own("transformer.h.{i}.mlp.fc_in"))
                .huggingFace(Role.DOWN, Place.own("transformer.h.{i}.mlp.fc_out"))
                .huggingFace(Role.FINAL_NORM, Place.own("transformer.ln_f"))
                .huggingFace(Role.HEAD, Place.own("lm_head"));
    }

    @Override
    public ModelConfig read(ConfigJson file) {
        ConfigJson json = file.renamed(NAMES);
        String dimensions = "rotary_dim";
        if (!json.has(dimensions) && !json.node(dimensions).isMissingNode()) {
            throw json.malformed(dimensions, "is null, with which transformers does not run");
        }
        return GptKeys.near(this, json, 2048, "gelu_new", false)
                .positions(rotary(json.size(dimensions, 64)))
                .residual(Residual.PARALLEL)
                .head(Head.plain(json.flag("tie_word_embeddings", false)).withBias(true))
                .build();
    }

    private Positions.Rotary rotary(int dimensions) {
        return Positions.Rotary.of(dimensions, 10_000).withPairing(pairing());
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        Positions.Rotary rotary = (Positions.Rotary) config.positions();
        return GptKeys.write(config, NAMES)
                .put("rotary_dim", rotary.dimensions())
                .put("attn_pdrop", 0.0)
                .put("embd_pdrop", 0.0)
                .put("resid_pdrop", 0.0)
                .remove(List.of("rope_theta", "rope_scaling"));
    }
}
