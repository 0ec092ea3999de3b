package dev.demitasse.model.packed;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** The tensors that stand for a linear module's weight in the files of another tool, each by its name after the module's. */
public sealed interface PackedLayout permits GroupLayout, NormalFloatLayout {
    /** A tensor before its bytes are known. */
    record Part(ScalarFormat format, long... shape) {
        @Override
        public long[] shape() {
            return shape.clone();
        }
    }

    /** Tensors of zeros. */
    static Map<String, Tensor> allocate(Map<String, Part> parts) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        parts.forEach((name, part) -> tensors.put(name, Tensor.allocate(name, part.format(), part.shape())));
        return tensors;
    }

    /** The tensor whose presence tells that a weight is laid out so. */
    String mark();

    /** What {@link #read} will give; codes are not read for it. */
    TensorFormat format(String module, Function<String, Optional<Tensor>> file, int rows, int columns);

    /**
     * The weight {@code [rows, columns]} of {@code module}, on the heap: in blocks where these hold its codes, else in
     * float16. Scales are rounded to float16, which most files and the kernels of other tools have them in.
     *
     * @param file gives its tensors
     * @throws MalformedModelException if its tensors do not fit each other or the weight
     */
    Tensor read(String module, Function<String, Optional<Tensor>> file, int rows, int columns);
}
