package dev.demitasse.model.packed;

import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.packed.GroupLayout.Sizes;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Function;

/**
 * A module's tensors in a file, checked as they are asked for.
 *
 * @param name the module's
 * @param file gives tensors by their whole names
 */
record ModuleParts(String name, Function<String, Optional<Tensor>> file) {
    /** A matrix of one of {@code formats}; −1 stands for any number of rows or columns. */
    Tensor matrix(String part, long rows, long columns, ScalarFormat... formats) {
        Tensor tensor = find(part).orElseThrow(() -> malformed(part, "is missing"));
        long[] shape = tensor.shape();
        boolean fits = shape.length == 2
                && (rows < 0 || shape[0] == rows)
                && (columns < 0 || shape[1] == columns)
                && Arrays.stream(formats).anyMatch(tensor.format()::equals);
        if (!fits) {
            throw malformed(part, "is %s, which does not fit its module".formatted(tensor));
        }
        return tensor;
    }

    /** A tensor of any shape. */
    Tensor vector(String part, ScalarFormat... formats) {
        Tensor tensor = find(part).orElseThrow(() -> malformed(part, "is missing"));
        if (Arrays.stream(formats).noneMatch(tensor.format()::equals)) {
            throw malformed(part, "is %s, which does not fit its module".formatted(tensor));
        }
        return tensor;
    }

    /** Scales of some floating-point type. */
    Tensor scales(String part, long rows, long columns) {
        return matrix(part, rows, columns, ScalarFormat.F16, ScalarFormat.BF16, ScalarFormat.F32);
    }

    Optional<Tensor> find(String part) {
        return file.apply(name + "." + part);
    }

    /** How many bits each of {@code numbers} has that take {@code words} integers. */
    int bits(String part, long words, long numbers) {
        for (int bits : new int[] {2, 3, 4, 8}) {
            if (Math.ceilDiv(numbers * bits, (long) Integer.SIZE) == words) {
                return bits;
            }
        }
        throw malformed(
                part, "has %,d integers for %,d codes; those are not 2, 3, 4 or 8 bits each".formatted(words, numbers));
    }

    /** {@code groups}, if columns are so many whole groups. */
    int groups(String part, long groups, int columns) {
        if (groups < 1 || columns % groups != 0) {
            throw malformed(part, "tells of %,d groups, which %,d inputs do not fill".formatted(groups, columns));
        }
        return (int) groups;
    }

    /** The group of each column. */
    int[] order(String part, Sizes sizes) {
        Optional<Tensor> stored = find(part);
        if (stored.isEmpty()) {
            return GroupedCodes.inOrder(sizes.columns(), sizes.groups());
        }
        int[] order = vector(part, ScalarFormat.I32, ScalarFormat.I64).toInts();
        boolean known = order.length == sizes.columns()
                && Arrays.stream(order).allMatch(group -> group >= 0 && group < sizes.groups());
        if (!known) {
            throw malformed(part, "must have %,d groups below %,d".formatted(sizes.columns(), sizes.groups()));
        }
        return order;
    }

    MalformedModelException malformed(String part, String problem) {
        return new MalformedModelException("tensor '" + name + "." + part + "'", problem, "fetch the checkpoint again");
    }
}
