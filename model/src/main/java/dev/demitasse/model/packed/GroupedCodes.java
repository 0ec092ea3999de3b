package dev.demitasse.model.packed;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.packed.GroupLayout.Sizes;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A weight {@code [out, in]} as other tools have it: w = scale · (code − zero), codes from 0, scale and zero shared by a
 * group of a row's columns.
 */
public final class GroupedCodes {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Sizes sizes;
    private final int rows;
    private final int columns;
    private final int bits;
    private final int groups;
    private final byte[] codes;
    private final float[] scales;
    private final byte[] zeros;
    private final int[] groupOf;

    /**
     * Codes and scales are to be filled in.
     *
     * @param zeros {@code [rows, groups]}; kept
     * @param groupOf the group of each column; kept
     */
    GroupedCodes(Sizes sizes, byte[] zeros, int[] groupOf) {
        this.sizes = sizes;
        this.rows = sizes.rows();
        this.columns = sizes.columns();
        this.bits = sizes.bits();
        this.groups = sizes.groups();
        this.codes = new byte[Math.multiplyExact(rows, columns)];
        this.scales = new float[Math.multiplyExact(rows, groups)];
        this.zeros = zeros;
        this.groupOf = groupOf;
    }

    static int[] inOrder(int columns, int groups) {
        int size = columns / groups;
        return IntStream.range(0, columns).map(column -> column / size).toArray();
    }

    /** What {@code weight}, of an {@link IntegerGroup}, holds. */
    public static GroupedCodes of(Tensor weight) {
        if (!(weight.format() instanceof IntegerGroup format)) {
            throw new IllegalArgumentException(weight + " has no groups of integers");
        }
        int half = 1 << format.bits() - 1;
        int rows = weight.rows();
        int columns = weight.columns();
        Sizes sizes = new Sizes(rows, columns, format.bits(), columns / format.group());
        GroupedCodes found = new GroupedCodes(sizes, new byte[rows * sizes.groups()], inOrder(columns, sizes.groups()));
        IntStream.range(0, rows).parallel().forEach(row -> {
            BlockNumbers numbers = new BlockNumbers(format.scheme());
            for (int group = 0; group < found.groups; group++) {
                long at = row * weight.rowBytes() + (long) group * format.bytesPerBlock();
                format.unpack(weight.data(), at, numbers);
                int zero = format.symmetric() ? half : numbers.minimumCodes[0] & 0xff;
                found.setScale(row, group, numbers.scale);
                found.zeros[row * found.groups + group] = (byte) zero;
                for (int i = 0; i < format.group(); i++) {
                    int code = format.symmetric() ? numbers.codes[i] + half : numbers.codes[i];
                    found.setCode(row, group * format.group() + i, code);
                }
            }
        });
        return found;
    }

    /** One of a layout's tensors. */
    static Tensor part(Map<String, Tensor> tensors, String name) {
        return Optional.ofNullable(tensors.get(name)).orElseThrow();
    }

    public Sizes sizes() {
        return sizes;
    }

    public int rows() {
        return rows;
    }

    public int columns() {
        return columns;
    }

    public int bits() {
        return bits;
    }

    /** Groups in a row. */
    public int groups() {
        return groups;
    }

    public int code(int row, int column) {
        return codes[row * columns + column] & 0xff;
    }

    public float scale(int row, int group) {
        return scales[row * groups + group];
    }

    public int zero(int row, int group) {
        return zeros[row * groups + group] & 0xff;
    }

    void setCode(int row, int column, int code) {
        codes[row * columns + column] = (byte) code;
    }

    void setScale(int row, int group, float scale) {
        scales[row * groups + group] = scale;
    }

    /** Writes the group of each column to an I32 vector. */
    void writeOrder(Tensor target) {
        for (int column = 0; column < columns; column++) {
            target.data().set(INT, 4L * column, groupOf[column]);
        }
    }

    /** Writes two numbers to an I64 vector. */
    static void writeShape(Tensor target, int rows, int columns) {
        target.data().set(LONG, 0, rows);
        target.data().set(LONG, 8, columns);
    }

    /** Whether all zeros are in the middle of the codes. */
    public boolean symmetric() {
        return symmetric(zeros, bits);
    }

    static boolean symmetric(byte[] zeros, int bits) {
        for (byte zero : zeros) {
            if ((zero & 0xff) != 1 << bits - 1) {
                return false;
            }
        }
        return true;
    }

    /**
     * The format that holds codes of {@code bits} bits in groups of {@code size} neighbours exactly; float16 where none
     * does, since groups are spread over the columns or have a size of their own.
     */
    static TensorFormat format(Sizes sizes, boolean symmetric, int[] groupOf) {
        int bits = sizes.bits();
        int size = sizes.columns() / sizes.groups();
        boolean inOrder = Arrays.equals(groupOf, inOrder(sizes.columns(), sizes.groups()));
        if (!inOrder || size % 32 != 0 || bits == 8 && !symmetric) {
            return ScalarFormat.F16;
        }
        if (bits == 8) {
            return new Q8_0();
        }
        int shared = size % 128 == 0 ? 128 : size % 64 == 0 ? 64 : 32;
        return new IntegerGroup(Math.max(3, bits), shared, symmetric && bits > 2);
    }

    /** As a tensor of the format that holds it exactly, or where none does, of float16. */
    public Tensor tensor(String name) {
        TensorFormat format = format(sizes, symmetric(), groupOf);
        Tensor tensor = Tensor.allocate(name, format, rows, columns);
        IntStream.range(0, rows).parallel().forEach(row -> {
            switch (format) {
                case BlockFormat block -> pack(row, block, tensor);
                case ScalarFormat scalar -> tensor.writeRow(row, decoded(row), 0);
            }
        });
        return tensor;
    }

    private float[] decoded(int row) {
        float[] values = new float[columns];
        for (int column = 0; column < columns; column++) {
            int group = groupOf[column];
            values[column] = scale(row, group) * (code(row, column) - zero(row, group));
        }
        return values;
    }

    private void pack(int row, BlockFormat format, Tensor into) {
        BlockNumbers numbers = new BlockNumbers(format.scheme());
        boolean offset = format.scheme().hasOffset();
        int middle = 1 << bits - 1;
        int size = format.blockSize();
        for (int block = 0; block < columns / size; block++) {
            int group = groupOf[block * size];
            numbers.scale = scale(row, group);
            numbers.minimumCodes[0] = (byte) (offset ? zero(row, group) : 0);
            for (int i = 0; i < size; i++) {
                int code = code(row, block * size + i);
                numbers.codes[i] = (byte) (offset ? code : code - middle);
            }
            format.pack(numbers, into.data(), row * into.rowBytes() + (long) block * format.bytesPerBlock());
        }
    }
}
