package dev.demitasse.model.safetensors;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/** The scales of INT8's and FP8's rows: one each, in a vector or a column, or one for all. */
final class RowScales {
    private RowScales() {}

    /** What compressed-tensors calls the zeros that belong to {@code scales}. */
    static String zeros(String scales) {
        return scales.replaceFirst("_scale$", "_zero_point");
    }

    /**
     * A float32 for each of {@code rows}.
     *
     * @param stored as the file has them
     * @param zeros that stand beside them, and must be 0: weights are read where these are symmetric
     */
    static Tensor read(Path folder, Tensor stored, long rows, Optional<Tensor> zeros) {
        if (zeros.isPresent() && holdsOthersThan0(zeros.get())) {
            throw new MalformedModelException(
                    folder,
                    "tensor '%s' has zeros that are not 0".formatted(zeros.get().name()),
                    "Demitasse reads weights of whole rows where these are symmetric");
        }
        boolean floats = stored.format() instanceof ScalarFormat scalar && scalar.floating();
        if (!floats || stored.elements() != rows && stored.elements() != 1) {
            throw new MalformedModelException(
                    folder,
                    "tensor '%s' is %s, its weight has %,d rows".formatted(stored.name(), stored, rows),
                    "Demitasse reads weights with a scale for each row, or one for all");
        }
        if (stored.format() == ScalarFormat.F32 && stored.rank() == 1 && stored.elements() == rows) {
            return stored;
        }
        float[] values = stored.toFloats();
        if (values.length != rows) {
            float one = values[0];
            values = new float[Math.toIntExact(rows)];
            Arrays.fill(values, one);
        }
        return Tensor.ofFloats(stored.name(), values, rows);
    }

    /** By its bytes, which in every type are 0 of 0. */
    private static boolean holdsOthersThan0(Tensor tensor) {
        MemorySegment bytes = tensor.data();
        for (long at = 0; at < bytes.byteSize(); at++) {
            if (bytes.get(ValueLayout.JAVA_BYTE, at) != 0) {
                return true;
            }
        }
        return false;
    }
}
