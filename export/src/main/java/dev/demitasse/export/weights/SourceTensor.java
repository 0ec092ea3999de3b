package dev.demitasse.export.weights;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.IntUnaryOperator;

/** One tensor of the checkpoint that is exported, read row by row in the order the target wants them. */
public final class SourceTensor {
    private final Tensor tensor;
    private final Optional<float[]> scales;
    private final IntUnaryOperator order;

    private SourceTensor(Tensor tensor, Optional<float[]> scales, IntUnaryOperator order) {
        this.tensor = tensor;
        this.scales = scales;
        this.order = order;
    }

    /** The tensor of {@code key}, its rotary rows (or a bias's elements) lying as {@code pairing} has them. */
    public static SourceTensor of(Checkpoint source, TensorKey key, Pairing pairing) {
        Tensor tensor = source.tensor(key);
        Optional<float[]> scales = tensor.format() == ScalarFormat.I8
                ? Optional.of(source.tensor(key.part(Part.SCALE)).toFloats())
                : Optional.empty();
        return new SourceTensor(tensor, scales, RotaryRows.order(source.config(), key, pairing));
    }

    public Tensor stored() {
        return tensor;
    }

    public TensorFormat format() {
        return tensor.format();
    }

    /** Whether the stored numbers are codes of {@link ScalarFormat#I8}, a scale to each row. */
    public boolean integer() {
        return scales.isPresent();
    }

    public int rows() {
        return tensor.rows();
    }

    public int columns() {
        return tensor.columns();
    }

    /** Row {@code row} of the result, decoded. */
    public void readRow(int row, float[] target, int at) {
        int stored = order.applyAsInt(row);
        tensor.readRow(stored, target, at);
        if (scales.isPresent()) {
            float scale = scales.get()[stored];
            for (int i = at; i < at + columns(); i++) {
                target[i] *= scale;
            }
        }
    }

    /** Row {@code row} of the result as it is stored. */
    public MemorySegment rowBytes(int row) {
        long size = tensor.rowBytes();
        return tensor.data().asSlice(order.applyAsInt(row) * size, size);
    }

    /** A vector's elements, in the result's order. */
    public float[] vector() {
        float[] stored = tensor.toFloats();
        float[] ordered = new float[stored.length];
        for (int i = 0; i < ordered.length; i++) {
            ordered[i] = stored[order.applyAsInt(i)];
        }
        return ordered;
    }
}
