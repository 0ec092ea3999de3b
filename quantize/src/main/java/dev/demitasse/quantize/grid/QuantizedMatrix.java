package dev.demitasse.quantize.grid;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.model.format.BlockScheme.Offset;
import dev.demitasse.model.format.Levels;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * A weight {@code [out, in]} as codes on a grid: value = step · level(code) + base, step and base shared by a sub-block of
 * a row. Filled row by row; rows may be filled by different threads.
 */
public final class QuantizedMatrix {
    private final Grid grid;
    private final Levels levels;
    private final boolean table;
    private final int rows;
    private final int columns;
    private final int blocks;
    private final int subs;
    private final int subsPerBlock;
    private final int[] subOfColumn;
    private final float[] scales;
    private final float[] minimums;
    private final byte[] scaleCodes;
    private final byte[] minimumCodes;
    private final float[] steps;
    private final float[] bases;
    private final byte[] codes;

    /** All zeros; column j belongs to sub-block {@code subOfColumn[j]}. */
    public QuantizedMatrix(Grid grid, int rows, int columns, int[] subOfColumn) {
        if (columns % grid.blockSize() != 0) {
            throw new IllegalArgumentException("%d columns in blocks of %d".formatted(columns, grid.blockSize()));
        }
        this.grid = grid;
        this.levels = grid.scheme().levels();
        this.table = levels instanceof Levels.Table;
        this.rows = rows;
        this.columns = columns;
        this.blocks = columns / grid.blockSize();
        this.subs = columns / grid.subSize();
        this.subsPerBlock = grid.scheme().subBlocks();
        this.subOfColumn = subOfColumn.clone();
        this.scales = new float[Math.multiplyExact(rows, blocks)];
        this.minimums = new float[scales.length];
        this.scaleCodes = new byte[Math.multiplyExact(rows, subs)];
        this.minimumCodes = new byte[scaleCodes.length];
        this.steps = new float[scaleCodes.length];
        this.bases = new float[scaleCodes.length];
        this.codes = new byte[Math.multiplyExact(rows, columns)];
        Arrays.fill(codes, (byte) levels.nearest(0));
    }

    /** Sub-blocks of neighbouring columns. */
    public QuantizedMatrix(Grid grid, int rows, int columns) {
        this(grid, rows, columns, neighbours(columns, grid.subSize()));
    }

    private static int[] neighbours(int columns, int size) {
        return IntStream.range(0, columns).map(column -> column / size).toArray();
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

    /** Sub-blocks in a row. */
    public int subs() {
        return subs;
    }

    /** The sub-block that a column belongs to. */
    public int subOf(int column) {
        return subOfColumn[column];
    }

    /** What levels are multiplied by. */
    public float step(int row, int sub) {
        return steps[row * subs + sub];
    }

    /** What is added to them. */
    public float base(int row, int sub) {
        return bases[row * subs + sub];
    }

    /** The scale of a block: without nested scales, the step. */
    public float scale(int row, int block) {
        return scales[row * blocks + block];
    }

    /** A nested scale's integer. */
    public int scaleCode(int row, int sub) {
        return scaleCodes[row * subs + sub];
    }

    /** The block's minimum. */
    public float minimum(int row, int block) {
        return minimums[row * blocks + block];
    }

    /** A nested minimum's integer, or the level that stands for zero. */
    public int minimumCode(int row, int sub) {
        return minimumCodes[row * subs + sub];
    }

    public int code(int row, int column) {
        int code = codes[row * columns + column];
        return table ? code & 0xff : code;
    }

    /** What a weight's code stands for before step and base. */
    public float level(int row, int column) {
        return levels.of(code(row, column));
    }

    /** Takes over the scales, not the codes, of a block; its sub-blocks follow each other. */
    public void setScales(int row, int block, BlockNumbers numbers) {
        scales[row * blocks + block] = numbers.scale;
        minimums[row * blocks + block] = numbers.minimum;
        for (int part = 0; part < subsPerBlock; part++) {
            int sub = row * subs + block * subsPerBlock + part;
            scaleCodes[sub] = numbers.scaleCodes[part];
            minimumCodes[sub] = numbers.minimumCodes[part];
            steps[sub] = numbers.step(part);
            bases[sub] = numbers.base(part);
        }
    }

    /** Stores the code nearest to {@code value} on its sub-block's grid and returns what it stands for. */
    public double round(int row, int column, double value) {
        int sub = row * subs + subOfColumn[column];
        double step = steps[sub];
        double base = bases[sub];
        int code = levels.nearest(step == 0 ? 0 : (value - base) / step);
        codes[row * columns + column] = (byte) code;
        return step * levels.of(code) + base;
    }

    /** What the code of a weight stands for. */
    public double value(int row, int column) {
        int sub = row * subs + subOfColumn[column];
        return (double) steps[sub] * level(row, column) + bases[sub];
    }

    /** Moves the step of a sub-block to the storable number nearest to {@code wanted}; returns by how much it grew. */
    public double moveStep(int row, int sub, double wanted) {
        int at = row * subs + sub;
        float before = steps[at];
        int block = row * blocks + sub / subsPerBlock;
        if (grid.scheme().scaleCodes().isPresent()) {
            float scale = scales[block];
            if (scale != 0) {
                scaleCodes[at] = (byte) grid.scheme().scaleCodes().get().nearest(wanted / scale);
                steps[at] = scale * scaleCodes[at];
            }
        } else {
            float stored = grid.scheme().scaleFormat().round(wanted);
            if (stored != 0 && Float.isFinite(stored)) {
                scales[block] = stored;
                steps[at] = stored;
                if (grid.scheme().offset() instanceof Offset.Zero) {
                    bases[at] = -(stored * minimumCodes[at]);
                }
            }
        }
        return (double) steps[at] - before;
    }

    /** Moves the base of a sub-block to the storable number nearest to {@code wanted}; returns by how much it grew. */
    public double moveBase(int row, int sub, double wanted) {
        int at = row * subs + sub;
        float before = bases[at];
        int block = row * blocks + sub / subsPerBlock;
        switch (grid.scheme().offset()) {
            case Offset.Minimum added -> {
                float stored = grid.scheme().scaleFormat().round(wanted);
                if (Float.isFinite(stored)) {
                    minimums[block] = stored;
                    bases[at] = stored;
                }
            }
            case Offset.MinimumCodes subtracted -> {
                if (minimums[block] != 0) {
                    double code = Math.rint(-wanted / minimums[block]);
                    minimumCodes[at] = (byte) Math.max(0, Math.min(subtracted.largest(), code));
                    bases[at] = -(minimums[block] * minimumCodes[at]);
                }
            }
            case Offset.None none -> {}
            case Offset.Zero zero -> {}
        }
        return (double) bases[at] - before;
    }

    /** Moves what a block's scale codes are multiplied by towards {@code wanted}; returns by how much it grew. */
    public double moveScale(int row, int block, double wanted) {
        int at = row * blocks + block;
        float before = scales[at];
        float stored = grid.scheme().scaleFormat().round(wanted);
        if (stored != 0 && Float.isFinite(stored)) {
            scales[at] = stored;
            for (int sub = row * subs + block * subsPerBlock, end = sub + subsPerBlock; sub < end; sub++) {
                steps[sub] = stored * scaleCodes[sub];
            }
        }
        return (double) scales[at] - before;
    }

    /** Moves what a block's minimum codes are multiplied by towards {@code wanted}; returns by how much it grew. */
    public double moveMinimum(int row, int block, double wanted) {
        int at = row * blocks + block;
        float before = minimums[at];
        float stored = grid.scheme().scaleFormat().round(Math.max(0, wanted));
        if (Float.isFinite(stored)) {
            minimums[at] = stored;
            for (int sub = row * subs + block * subsPerBlock, end = sub + subsPerBlock; sub < end; sub++) {
                bases[sub] = -(stored * minimumCodes[sub]);
            }
        }
        return (double) minimums[at] - before;
    }

    /** Copies what row {@code row} stands for into {@code target} from index {@code at}. */
    public void readRow(int row, double[] target, int at) {
        for (int column = 0; column < columns; column++) {
            target[at + column] = value(row, column);
        }
    }

    /** What all codes stand for. */
    public Matrix dequantized() {
        float[] values = new float[codes.length];
        IntStream.range(0, rows).parallel().forEach(row -> {
            for (int column = 0; column < columns; column++) {
                values[row * columns + column] = (float) value(row, column);
            }
        });
        return new Matrix(rows, columns, values);
    }

    /**
     * The weight as a tensor in {@code format}, whose grid this must be on, bit for bit what a file will hold; of INT8 and
     * FP8 the codes, whose scales are {@link #scaleTensor}.
     */
    public Tensor tensor(String name, TensorFormat format) {
        return switch (format) {
            case BlockFormat block -> packed(name, block);
            case ScalarFormat scalar -> unscaled(name, scalar);
        };
    }

    private Tensor unscaled(String name, ScalarFormat format) {
        Tensor tensor = Tensor.allocate(name, format, rows, columns);
        IntStream.range(0, rows).parallel().forEach(row -> {
            float[] values = new float[columns];
            for (int column = 0; column < columns; column++) {
                values[column] = level(row, column);
            }
            tensor.writeRow(row, values, 0);
        });
        return tensor;
    }

    private Tensor packed(String name, BlockFormat format) {
        Tensor tensor = Tensor.allocate(name, format, rows, columns);
        int size = format.blockSize();
        IntStream.range(0, rows).parallel().forEach(row -> {
            BlockNumbers numbers = new BlockNumbers(format.scheme());
            for (int block = 0; block < blocks; block++) {
                numbers.scale = scales[row * blocks + block];
                numbers.minimum = minimums[row * blocks + block];
                int sub = row * subs + block * subsPerBlock;
                System.arraycopy(scaleCodes, sub, numbers.scaleCodes, 0, subsPerBlock);
                System.arraycopy(minimumCodes, sub, numbers.minimumCodes, 0, subsPerBlock);
                System.arraycopy(codes, row * columns + block * size, numbers.codes, 0, size);
                format.pack(numbers, tensor.data(), ((long) row * blocks + block) * format.bytesPerBlock());
            }
        });
        return tensor;
    }

    /** The scales {@code [out]} of a weight with one for each row. */
    public Tensor scaleTensor(String name) {
        if (blocks != 1) {
            throw new IllegalStateException(blocks + " scales in a row, not 1");
        }
        return Tensor.ofFloats(name, scales, rows);
    }
}
