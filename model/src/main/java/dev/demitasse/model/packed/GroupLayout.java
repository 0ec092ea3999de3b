package dev.demitasse.model.packed;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.TensorFormat;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** Layouts of integers in groups. */
public sealed interface GroupLayout extends PackedLayout permits GptqLayout, AwqLayout, PackQuantizedLayout {
    /**
     * A weight in groups.
     *
     * @param rows outputs
     * @param columns inputs
     * @param bits of a code
     * @param groups in a row, of equal size
     */
    record Sizes(int rows, int columns, int bits, int groups) {}

    /** What a weight takes. */
    Map<String, Part> parts(Sizes sizes, boolean symmetric);

    /** The same tensors, filled. */
    Map<String, Tensor> pack(GroupedCodes weight);

    /**
     * Of the weight {@code [rows, columns]} of {@code module}, by the shapes of its tensors.
     *
     * @throws MalformedModelException if these do not fit each other or the weight
     */
    Sizes sizes(ModuleParts module, int rows, int columns);

    /** The zero of each group of each row, {@code [rows, groups]}. */
    byte[] zeros(ModuleParts module, Sizes sizes);

    /** The tensor that says to which group each column belongs, if it is not told by their order. */
    String order();

    /** Reads codes and scales. */
    void unpack(ModuleParts module, GroupedCodes into);

    @Override
    default TensorFormat format(String module, Function<String, Optional<Tensor>> file, int rows, int columns) {
        ModuleParts parts = new ModuleParts(module, file);
        Sizes sizes = sizes(parts, rows, columns);
        boolean symmetric = GroupedCodes.symmetric(zeros(parts, sizes), sizes.bits);
        return GroupedCodes.format(sizes, symmetric, parts.order(order(), sizes));
    }

    @Override
    default Tensor read(String module, Function<String, Optional<Tensor>> file, int rows, int columns) {
        ModuleParts parts = new ModuleParts(module, file);
        Sizes sizes = sizes(parts, rows, columns);
        GroupedCodes codes = new GroupedCodes(sizes, zeros(parts, sizes), parts.order(order(), sizes));
        unpack(parts, codes);
        return codes.tensor(module + ".weight");
    }
}
