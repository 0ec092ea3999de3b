package dev.demitasse.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.TensorKey.Part;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * RoBERTa and XLM-R with their masked-language-model head (arXiv:1907.11692 §3): BERT whose positions start after the row
 * of the padding token.
 */
final class Roberta implements Family {
    private static final Set<String> ARCHITECTURES =
            Collections.unmodifiableSet(new LinkedHashSet<>(List.of("RobertaForMaskedLM", "XLMRobertaForMaskedLM")));
    private static final int PADDING = 1;

    @Override
    public String id() {
        return "roberta";
    }

    @Override
    public Set<String> architectures() {
        return ARCHITECTURES;
    }

    @Override
    public TensorNames names(ModelConfig config) {
        return Bert.encoder(config, "roberta.")
                .huggingFace(Role.HEAD_TRANSFORM, Place.own("lm_head.dense"))
                .huggingFace(Role.HEAD_NORM, Place.own("lm_head.layer_norm"))
                .huggingFace(Role.HEAD, Place.own("lm_head.decoder"))
                .exact(TensorKey.weight(Role.HEAD).part(Part.BIAS), "lm_head.bias");
    }

    @Override
    public ModelConfig read(ConfigJson json) {
        SpecialTokens special = json.specialTokens();
        int padding = special.pad().orElse(PADDING);
        return Bert.near(this, json, Math.addExact(padding, 1), Activation.GELU)
                .specialTokens(new SpecialTokens(special.bos(), special.eos(), OptionalInt.of(padding)))
                .build();
    }

    @Override
    public ObjectNode write(ModelConfig config) {
        return Bert.writeEncoder(config).put("pad_token_id", config.embedding().positionOffset() - 1);
    }
}
