package dev.demitasse.export.weights;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorForm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.TensorFormat;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * One tensor of the checkpoint that is exported: its rotary rows in the order of the target format, rows decoded
 * by their scales where they have some.
 */
public final class SourceTensor {
    private final Tensor tensor;
    private final Optional<float[]> scales;

    private SourceTensor(Tensor tensor, Optional<float[]> scales) {
        this.tensor = tensor;
        this.scales = scales;
    }

    /** The tensor of {@code key}; in the form that {@code form} has it, {@link ModelConfig#ggufForm} or another. */
    public static SourceTensor of(Checkpoint source, TensorKey key, ModelConfig form) {
        Tensor tensor = ordered(source, key, form);
        Optional<float[]> scales = tensor.format().rowScaled()
                ? Optional.of(ordered(source, key.part(Part.SCALE), form).toFloats())
                : Optional.empty();
        return new SourceTensor(tensor, scales);
    }

    private static Tensor ordered(Checkpoint source, TensorKey key, ModelConfig form) {
        return TensorForm.convert(source.tensor(key), key, source.config(), form);
    }

    public TensorFormat format() {
        return tensor.format();
    }

    public long[] shape() {
        return tensor.shape();
    }

    public int rows() {
        return tensor.rows();
    }

    public int columns() {
        return tensor.columns();
    }

    /** Row {@code row}, decoded into {@code target} from its start. */
    public void readRow(int row, float[] target) {
        tensor.readRow(row, target, 0);
        if (scales.isPresent()) {
            float scale = scales.get()[row];
            for (int i = 0; i < columns(); i++) {
                target[i] *= scale;
            }
        }
    }

    /** Row {@code row} as it is stored. */
    public MemorySegment rowBytes(int row) {
        return tensor.data().asSlice(row * tensor.rowBytes(), tensor.rowBytes());
    }

    /** A vector's elements. */
    public float[] vector() {
        return tensor.toFloats();
    }
}
