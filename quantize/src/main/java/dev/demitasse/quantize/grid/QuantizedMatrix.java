package dev.demitasse.quantize.grid;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.quantize.grid.Grid.Step;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** A weight {@code [out, in]} as codes on a grid. Filled row by row; rows may be filled by different threads. */
public final class QuantizedMatrix {
    private final Grid grid;
    private final int rows;
    private final int columns;
    private final int groups;
    private final int[] groupOfColumn;
    private final float[] scales;
    private final byte[] zeros;
    private final byte[] codes;

    /** All zeros; column j belongs to group {@code groupOfColumn[j]}. */
    public QuantizedMatrix(Grid grid, int rows, int columns, int[] groupOfColumn) {
        this.grid = grid;
        this.rows = rows;
        this.columns = columns;
        this.groupOfColumn = groupOfColumn.clone();
        this.groups = Math.ceilDiv(columns, grid.groupSize(columns));
        this.scales = new float[Math.multiplyExact(rows, groups)];
        this.zeros = new byte[scales.length];
        this.codes = new byte[Math.multiplyExact(rows, columns)];
    }

    /** Groups of neighbouring columns. */
    public QuantizedMatrix(Grid grid, int rows, int columns) {
        this(grid, rows, columns, neighbours(columns, grid.groupSize(columns)));
    }

    /** The group of each column where groups are {@code size} neighbours. */
    public static int[] neighbours(int columns, int size) {
        int[] groups = new int[columns];
        Arrays.setAll(groups, column -> column / size);
        return groups;
    }

    public Grid grid() {
        return grid;
    }

    public int rows() {
        return rows;
    }

    public int columns() {
        return columns;
    }

    /** Groups in a row. */
    public int groups() {
        return groups;
    }

    public int groupOf(int column) {
        return groupOfColumn[column];
    }

    public float scale(int row, int group) {
        return scales[row * groups + group];
    }

    public int zero(int row, int group) {
        return zeros[row * groups + group];
    }

    public int code(int row, int column) {
        return codes[row * columns + column];
    }

    public void setStep(int row, int group, Step step) {
        scales[row * groups + group] = step.scale();
        zeros[row * groups + group] = (byte) step.zero();
    }

    /** Stores the code nearest to {@code value} on its group's grid and returns what it stands for. */
    public double round(int row, int column, double value) {
        int group = row * groups + groupOfColumn[column];
        int code = grid.code(value, scales[group], zeros[group]);
        codes[row * columns + column] = (byte) code;
        return (double) scales[group] * (code - zeros[group]);
    }

    /** What the code of a weight stands for. */
    public double value(int row, int column) {
        int group = row * groups + groupOfColumn[column];
        return (double) scales[group] * (codes[row * columns + column] - zeros[group]);
    }

    /** Copies what row {@code row} stands for into {@code target} from index {@code at}. */
    public void readRow(int row, double[] target, int at) {
        for (int column = 0; column < columns; column++) {
            target[at + column] = value(row, column);
        }
    }

    /**
     * The weight as a tensor in the grid's format, bit for bit what a file will hold; of INT8 the codes, whose scales are
     * {@link #scaleTensor}.
     */
    public Tensor tensor(String name) {
        return switch (grid) {
            case Q40Grid q40 -> packed(name, new Q4_0());
            case Q80Grid q80 -> packed(name, new Q8_0());
            case Int8Grid int8 ->
                new Tensor(name, ScalarFormat.I8, new long[] {rows, columns}, MemorySegment.ofArray(codes.clone()));
            case GroupGrid group -> throw new IllegalStateException("no file format holds " + group);
        };
    }

    /** The scales {@code [out]} of an INT8 weight. */
    public Tensor scaleTensor(String name) {
        if (groups != 1) {
            throw new IllegalStateException(groups + " scales in a row, not 1");
        }
        return Tensor.ofFloats(name, scales, rows);
    }

    private Tensor packed(String name, BlockFormat format) {
        Tensor tensor = Tensor.allocate(name, format, rows, columns);
        BlockNumbers numbers = new BlockNumbers(format.scheme());
        int size = format.blockSize();
        for (int block = 0; block < scales.length; block++) {
            numbers.scale = scales[block];
            for (int i = 0; i < size; i++) {
                numbers.codes[i] = (byte) (codes[block * size + i] - zeros[block]);
            }
            format.pack(numbers, tensor.data(), (long) block * format.bytesPerBlock());
        }
        return tensor;
    }
}
