package dev.demitasse.quantize;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.ArrayList;
import java.util.List;

/**
 * Which format every tensor gets. Projections get the one asked for; a table that is a head too gets 8 bits, an embedding
 * that is only looked up the projections'; norms and biases stay float32, a few thousand numbers that everything passes
 * through. A matrix whose rows are not whole blocks becomes float16, and is listed.
 */
final class FormatPlan {
    private final ModelConfig config;
    private final QuantizeOptions options;

    FormatPlan(ModelConfig config, QuantizeOptions options) {
        this.config = config;
        this.options = options;
    }

    /** The format of {@code key}, a weight or bias. */
    TensorFormat of(TensorKey key) {
        if (!LayerOutcome.quantizes(key)) {
            return ScalarFormat.F32;
        }
        return fits(key) ? wanted(key.role()) : ScalarFormat.F16;
    }

    private TensorFormat wanted(Role role) {
        return switch (role) {
            case EMBEDDING -> options.embedding().orElse(config.tiedHead() ? options.eightBits() : options.format());
            case HEAD -> options.head().orElse(options.eightBits());
            default -> role.projection() ? options.format() : ScalarFormat.F32;
        };
    }

    private boolean fits(TensorKey key) {
        return wanted(key.role()).fits(config.columns(key));
    }

    /** One sentence for each kind of tensor that could not have the format it should have. */
    List<String> fallbacks() {
        List<String> sentences = new ArrayList<>();
        for (TensorKey key : config.tensors()) {
            boolean first = key.layer() <= 0 && key.expert() <= 0;
            if (first && LayerOutcome.quantizes(key) && !fits(key)) {
                TensorFormat wanted = wanted(key.role());
                sentences.add("%s has %,d columns, which blocks of %d do not fill: kept as f16 instead of %s"
                        .formatted(
                                config.name(key).replace(".0.", ".*."),
                                config.columns(key),
                                wanted.blockSize(),
                                wanted.id()));
            }
        }
        return sentences;
    }
}
