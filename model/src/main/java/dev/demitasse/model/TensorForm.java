package dev.demitasse.model;

import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.TensorKey.Part;
import java.lang.foreign.MemorySegment;

/**
 * The forms in which files hold the same tensor. The order of a query's or key's rows for either {@link Pairing}: moving
 * whole rows turns one into the other and leaves the function the model computes as it is; works on weights
 * {@code [heads · D, in]} in any format, biases, row scales and norms. And norm weights stored with or without 1 taken off.
 */
public final class TensorForm {
    private TensorForm() {}

    /**
     * {@code tensor}, that of {@code key} as {@code from} has it, as {@code to} has it: itself where both agree, else a
     * copy on the heap.
     */
    public static Tensor convert(Tensor tensor, TensorKey key, ModelConfig from, ModelConfig to) {
        Tensor converted = tensor;
        if (key.role().rotates()
                && from.positions(key.layer()) instanceof Rotary here
                && to.positions(key.layer()) instanceof Rotary there
                && here.pairing() != there.pairing()) {
            int headDimension = from.attention(key.layer()).headDimension();
            long rows = from.rows(key);
            converted = reorder(converted, rows, headDimension, here.dimensions(), there.pairing());
        }
        if (key.role().norm() && key.part() == Part.WEIGHT) {
            boolean without = from.norm(key).unitOffset();
            if (without != to.norm(key).unitOffset()) {
                converted = shift(converted, without ? 1 : -1);
            }
        }
        return converted;
    }

    private static Tensor shift(Tensor tensor, float by) {
        float[] values = tensor.toFloats();
        for (int i = 0; i < values.length; i++) {
            values[i] += by;
        }
        return Tensor.ofFloats(tensor.name(), values, tensor.shape());
    }

    private static Tensor reorder(Tensor tensor, long rows, int headDimension, int rotated, Pairing wanted) {
        Tensor copy = Tensor.allocate(tensor.name(), tensor.format(), tensor.shape());
        MemorySegment from = tensor.data();
        MemorySegment to = copy.data();
        to.copyFrom(from);
        long rowBytes = from.byteSize() / rows;
        int half = rotated / 2;
        for (long head = 0; head < rows; head += headDimension) {
            for (int pair = 0; pair < half; pair++) {
                for (int side = 0; side < 2; side++) {
                    long halves = (head + side * half + pair) * rowBytes;
                    long interleaved = (head + 2L * pair + side) * rowBytes;
                    switch (wanted) {
                        case HALVES -> MemorySegment.copy(from, interleaved, to, halves, rowBytes);
                        case INTERLEAVED -> MemorySegment.copy(from, halves, to, interleaved, rowBytes);
                    }
                }
            }
        }
        return copy;
    }
}
