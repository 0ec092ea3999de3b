package dev.demitasse.distill.network;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
import java.util.function.Function;

/**
 * A model's weights as the trainer reads them: floats, with rotary pairs in halves.
 *
 * @param config with {@link Pairing#HALVES}, whatever the file had
 * @param tensor gives each of {@link ModelConfig#tensors}
 */
public record SourceWeights(ModelConfig config, Function<TensorKey, Tensor> tensor) {

    /** Views of {@code checkpoint}'s tensors; it must stay open as long as they are read. */
    public static SourceWeights of(Checkpoint checkpoint) {
        ModelConfig config = checkpoint.config();
        if (config.positions() instanceof Rotary rotary && rotary.pairing() == Pairing.INTERLEAVED) {
            ModelConfig halves = config.withPositions(
                    new Rotary(rotary.dimensions(), rotary.base(), rotary.scaling(), Pairing.HALVES));
            return new SourceWeights(halves, key -> inHalves(floats(checkpoint, key), key, config, rotary));
        }
        return new SourceWeights(config, key -> floats(checkpoint, key));
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

    /**
     * Reorders the outputs of q and k so that the pair (2i, 2i + 1) becomes (i, i + d/2). Both take part in nothing but
     * their dot product, which does not care for order as long as it is the same for both.
     */
    private static Tensor inHalves(Tensor tensor, TensorKey key, ModelConfig config, Rotary rotary) {
        if (key.role() != Role.QUERY && key.role() != Role.KEY) {
            return tensor;
        }
        int width = config.attention().headDimension();
        int half = rotary.dimensions() / 2;
        int outputs = config.rows(key.role());
        int columns = Math.toIntExact(tensor.elements() / outputs);
        float[] values = tensor.toFloats();
        float[] ordered = new float[values.length];
        for (int output = 0; output < outputs; output++) {
            int within = output % width;
            int from = output;
            if (within < half) {
                from = output - within + 2 * within;
            } else if (within < 2 * half) {
                from = output - within + 2 * (within - half) + 1;
            }
            System.arraycopy(values, from * columns, ordered, output * columns, columns);
        }
        return Tensor.ofFloats(tensor.name(), ordered, tensor.shape());
    }
}
