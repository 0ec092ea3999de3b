package dev.demitasse.model;

import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A named array of numbers in some format: a view of a mapped file or of memory of its own. Row-major, so the last
 * dimension is contiguous; a matrix's rows are its outputs.
 */
public final class Tensor {
    private final String name;
    private final TensorFormat format;
    private final long[] shape;
    private final MemorySegment data;

    /**
     * @param name as the file calls it; it appears in errors
     * @param shape outermost dimension first; its last dimension is a multiple of the format's block
     * @param data exactly the tensor's bytes
     */
    public Tensor(String name, TensorFormat format, long[] shape, MemorySegment data) {
        this.name = name;
        this.format = format;
        this.shape = shape.clone();
        this.data = data;
        if (data.byteSize() != format.bytes(elements(shape))) {
            throw new IllegalArgumentException("tensor '%s' %s %s takes %,d bytes, not %,d"
                    .formatted(
                            name, format.id(), Arrays.toString(shape), format.bytes(elements(shape)), data.byteSize()));
        }
    }

    /** F32, backed by a heap array of its own. */
    public static Tensor ofFloats(String name, float[] values, long... shape) {
        Tensor tensor = allocate(name, ScalarFormat.F32, shape);
        ScalarFormat.F32.encode(values, 0, values.length, tensor.data, 0);
        return tensor;
    }

    /** Zeros, on the heap: for results up to 2 GB. */
    public static Tensor allocate(String name, TensorFormat format, long... shape) {
        int bytes = Math.toIntExact(format.bytes(elements(shape)));
        return new Tensor(name, format, shape, MemorySegment.ofArray(new byte[bytes]));
    }

    /**
     * The product of all dimensions.
     *
     * @throws ArithmeticException past 2⁶³
     */
    public static long elements(long... shape) {
        long product = 1;
        for (long dimension : shape) {
            product = Math.multiplyExact(product, dimension);
        }
        return product;
    }

    public String name() {
        return name;
    }

    public TensorFormat format() {
        return format;
    }

    public long[] shape() {
        return shape.clone();
    }

    public MemorySegment data() {
        return data;
    }

    public int rank() {
        return shape.length;
    }

    public long elements() {
        return elements(shape);
    }

    /** Length of the last dimension. */
    public int columns() {
        return shape.length == 0 ? 1 : index(shape[shape.length - 1]);
    }

    /** Product of all dimensions but the last. */
    public int rows() {
        return columns() == 0 ? 0 : index(elements() / columns());
    }

    private int index(long count) {
        if (count > Integer.MAX_VALUE) {
            throw new MalformedModelException(
                    "tensor '" + name + "'",
                    "has the shape " + Arrays.toString(shape) + ", too long in one dimension",
                    "check the file; rows and columns go up to 2147483647");
        }
        return (int) count;
    }

    /** Bytes from one row's start to the next's. */
    public long rowBytes() {
        return format.bytes(columns());
    }

    /** Decodes row {@code row} into {@code target} from index {@code at}. */
    public void readRow(int row, float[] target, int at) {
        format.decode(data, row * rowBytes(), target, at, columns());
    }

    /** Encodes {@code columns} floats of {@code source} from index {@code at} as row {@code row}. */
    public void writeRow(int row, float[] source, int at) {
        format.encode(source, at, columns(), data, row * rowBytes());
    }

    /** Everything, decoded; up to 2³¹ elements. */
    public float[] toFloats() {
        float[] values = new float[index(elements())];
        for (int row = 0; row < rows(); row++) {
            readRow(row, values, row * columns());
        }
        return values;
    }

    /**
     * Everything, as whole numbers; of an integer format.
     *
     * @throws MalformedModelException if the tensor holds floats
     */
    public long[] toLongs() {
        if (!(format instanceof ScalarFormat scalar) || scalar.floating()) {
            throw new MalformedModelException(
                    "tensor '" + name + "'", "is " + format.id() + ", expected whole numbers", "check the file");
        }
        long[] values = new long[index(elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = scalar.decodeInteger(data, (long) i * scalar.bytesPerBlock());
        }
        return values;
    }

    /**
     * Everything, as ints; of an integer format.
     *
     * @throws MalformedModelException if the tensor holds floats, or a number that is not an int
     */
    public int[] toInts() {
        long[] values = toLongs();
        int[] ints = new int[values.length];
        for (int i = 0; i < values.length; i++) {
            ints[i] = (int) values[i];
            if (ints[i] != values[i]) {
                throw new MalformedModelException(
                        "tensor '" + name + "'", "holds %,d, expected ints".formatted(values[i]), "check the file");
            }
        }
        return ints;
    }

    /** The same bytes under another name. */
    public Tensor named(String other) {
        return new Tensor(other, format, shape, data);
    }

    /** A copy in another format, on the heap, rounded row by row; itself where it has that format already. */
    public Tensor to(TensorFormat other) {
        if (format.equals(other)) {
            return this;
        }
        Tensor copy = allocate(name, other, shape);
        float[] row = new float[columns()];
        for (int i = 0; i < rows(); i++) {
            readRow(i, row, 0);
            copy.writeRow(i, row, 0);
        }
        return copy;
    }

    @Override
    public String toString() {
        return name + " " + format.id() + Arrays.toString(shape);
    }
}
