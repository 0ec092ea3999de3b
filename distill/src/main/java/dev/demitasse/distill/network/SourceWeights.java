package dev.demitasse.distill.network;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorForm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
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
        return new SourceWeights(plain, key -> TensorForm.convert(floats(checkpoint, key), key, config, plain));
    }

    /** {@code config} in the form that the trainer wants. */
    public static ModelConfig plain(ModelConfig config) {
        return config.inForm(Pairing.HALVES, false);
    }

    /** The tensor itself, or, of an INT8 weight, code · scale of its row. */
    private static Tensor floats(Checkpoint checkpoint, TensorKey key) {
        Tensor tensor = checkpoint.tensor(key);
        if (tensor.format() != ScalarFormat.I8) {
            return tensor;
        }
        float[] scales = checkpoint.tensor(key.part(Part.SCALE)).toFloats();
        Tensor decoded = Tensor.allocate(tensor.name(), ScalarFormat.F32, tensor.shape());
        float[] row = new float[tensor.columns()];
        for (int i = 0; i < tensor.rows(); i++) {
            tensor.readRow(i, row, 0);
            for (int column = 0; column < row.length; column++) {
                row[column] *= scales[i];
            }
            decoded.writeRow(i, row, 0);
        }
        return decoded;
    }
}
