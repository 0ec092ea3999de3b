package dev.demitasse.distill.network;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorForm;
import dev.demitasse.model.TensorKey;
import java.util.function.Function;

/**
 * A model's weights as the trainer reads them: floats, with rotary pairs in halves and norm weights whole.
 *
 * @param config with {@link Pairing#HALVES} and no offset of norms, whatever the file had
 * @param tensor gives each of {@link ModelConfig#tensors}
 */
public record SourceWeights(ModelConfig config, Function<TensorKey, Tensor> tensor) {

    /** Views of {@code checkpoint}'s tensors; it must stay open as long as they are read. */
    public static SourceWeights of(Checkpoint checkpoint) {
        ModelConfig config = checkpoint.config();
        ModelConfig plain = plain(config);
        return new SourceWeights(plain, key -> TensorForm.convert(checkpoint.decoded(key), key, config, plain));
    }

    /** {@code config} in the form that the trainer wants. */
    public static ModelConfig plain(ModelConfig config) {
        return config.inForm(Pairing.HALVES, false);
    }
}
