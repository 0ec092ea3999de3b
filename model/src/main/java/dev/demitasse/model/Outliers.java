package dev.demitasse.model;

import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * Columns of a quantized weight that are kept beside it in float16: y = W·x with these columns' inputs left out, plus their
 * own product. What the weight holds in their place is not used.
 *
 * @param columns which, ascending, {@code [k]}
 * @param values their weights, {@code [out, k]}
 */
@SuppressWarnings("ArrayRecordComponent") // handed over, not compared
public record Outliers(int[] columns, Tensor values) {
    public Outliers {
        if (values.rank() != 2 || values.columns() != columns.length || columns.length == 0) {
            throw new IllegalArgumentException("%d columns for %s".formatted(columns.length, values));
        }
    }

    /** Those of {@code weight}, where tensors are found as told, if it has any. */
    public static Optional<Outliers> find(
            TensorKey weight, Predicate<TensorKey> has, Function<TensorKey, Tensor> tensor) {
        TensorKey columns = weight.part(Part.OUTLIER_COLUMNS);
        return weight.part() == Part.WEIGHT && has.test(columns)
                ? Optional.of(new Outliers(tensor.apply(columns).toInts(), tensor.apply(weight.part(Part.OUTLIERS))))
                : Optional.empty();
    }

    /** How many columns of {@code columns} a {@code share} is: at least one. */
    public static int count(double share, int columns) {
        return Math.clamp((int) Math.ceil(share * columns), 1, columns);
    }

    /** What {@code kept} columns of {@code rows} take. */
    public static long bytes(int kept, int rows) {
        return Math.addExact(
                ScalarFormat.F16.bytes(Math.multiplyExact((long) kept, rows)), ScalarFormat.I32.bytes(kept));
    }

    /** {@link #columns} as a tensor. */
    public Tensor columnTensor(String name) {
        ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * columns.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(columns);
        return new Tensor(name, ScalarFormat.I32, new long[] {columns.length}, MemorySegment.ofBuffer(bytes));
    }

    /** Puts row {@code row} of the kept columns into a decoded row of the weight. */
    public void overlay(int row, float[] target, int at) {
        float[] kept = new float[columns.length];
        values.readRow(row, kept, 0);
        for (int i = 0; i < columns.length; i++) {
            target[at + columns[i]] = kept[i];
        }
    }

    /**
     * Both tensors as a file has them.
     *
     * @throws MalformedModelException if they do not fit a weight of {@code rows} and {@code width} columns
     */
    public static void check(Path path, Tensor columns, Tensor values, int rows, int width) {
        boolean fitting = columns.format() == ScalarFormat.I32
                && columns.rank() == 1
                && columns.elements() > 0
                && values.format() instanceof ScalarFormat scalar
                && scalar.floating()
                && Arrays.equals(values.shape(), new long[] {rows, columns.elements()});
        int[] indices = fitting ? columns.toInts() : new int[0];
        boolean ascending = IntStream.range(0, indices.length)
                .allMatch(i -> indices[i] < width && indices[i] > (i == 0 ? -1 : indices[i - 1]));
        if (!fitting || !ascending) {
            throw new MalformedModelException(
                    path,
                    "outliers %s of columns %s do not belong to a weight of %,d by %,d"
                            .formatted(values, columns, rows, width),
                    "the file was written wrongly; quantize the model again");
        }
    }

    /** @throws InvalidRequestException if {@code source} keeps columns apart, which {@code target} cannot */
    public static void refuse(Checkpoint source, String target) {
        for (TensorKey key : source.config().tensors()) {
            if (source.has(key.part(Part.OUTLIERS))) {
                throw new InvalidRequestException(
                        source.path(),
                        "keeps columns of %s in float16 beside its codes, which %s has no place for"
                                .formatted(source.config().name(key), target),
                        "quantize without outliers, or run the checkpoint as it is");
            }
        }
    }
}
