package dev.demitasse.model;

import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.lang.foreign.MemorySegment;

/**
 * The forms in which files hold the same tensor, without a difference to what the model computes:
 *
 * <ul>
 *   <li>the order of a query's or key's rows for either {@link Pairing}: whole rows move, of weights {@code [heads · D, in]}
 *       in any format, biases, row scales and norms;
 *   <li>norms' weights with or without 1 taken off;
 *   <li>queries with a part of attention's scale multiplied in.
 * </ul>
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
        if (key.role() == Role.QUERY || key.role() == Role.QUERY_NORM) {
            Attention here = from.attention(key.layer());
            // A norm takes out of queries what was multiplied in before it.
            Role carrier = here.queryKeyNorm().isPresent() ? Role.QUERY_NORM : Role.QUERY;
            double factor = here.scale() / to.attention(key.layer()).scale();
            if (key.role() == carrier && !converted.format().rowScaled() && factor != 1) {
                converted = scaled(converted, factor);
            }
        }
        return converted;
    }

    /** In float32 if it was in blocks. */
    private static Tensor scaled(Tensor tensor, double factor) {
        TensorFormat format = tensor.format() instanceof BlockFormat ? ScalarFormat.F32 : tensor.format();
        Tensor copy = Tensor.allocate(tensor.name(), format, tensor.shape());
        float[] row = new float[tensor.columns()];
        for (int i = 0; i < tensor.rows(); i++) {
            tensor.readRow(i, row, 0);
            for (int column = 0; column < row.length; column++) {
                row[column] *= (float) factor;
            }
            copy.writeRow(i, row, 0);
        }
        return copy;
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
