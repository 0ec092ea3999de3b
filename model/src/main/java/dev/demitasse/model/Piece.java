package dev.demitasse.model;

/**
 * A regular pattern of rows of a tensor in a file that hold some rows of one of a model's tensors, in order: {@code count}
 * runs of {@code run} rows, the first from {@code start}, {@code stride} apart.
 *
 * @param name the file's tensor
 * @param shape its shape; all dimensions but the last count as rows, a vector's only one as well
 * @param start first row of the first run
 * @param run rows of a run
 * @param stride rows from one run's start to the next's
 * @param count number of runs
 * @param at which row of the model's tensor is the first of them
 * @param transposed whether the file holds the matrix {@code [in, out]}: what is said of rows is then true of columns
 */
public record Piece(
        String name, long[] shape, long start, long run, long stride, long count, long at, boolean transposed) {
    /** All of the file's tensor {@code name}. */
    public static Piece whole(String name, long[] shape, boolean transposed) {
        long[] stored = transposed ? new long[] {shape[1], shape[0]} : shape;
        return new Piece(name, stored, 0, shape[0], shape[0], 1, 0, transposed);
    }

    /** The same rows of a tensor that is not transposed. */
    public Piece untransposed() {
        return transposed
                ? new Piece(name, new long[] {shape[1], shape[0]}, start, run, stride, count, at, false)
                : this;
    }

    /** Rows of the model's tensor. */
    public long rows() {
        return run * count;
    }

    /** Whether the rows stand together, in the file as in the model. */
    public boolean contiguous() {
        return count == 1 && !transposed;
    }

    @Override
    public long[] shape() {
        return shape.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Piece piece
                && name.equals(piece.name)
                && java.util.Arrays.equals(shape, piece.shape)
                && start == piece.start
                && run == piece.run
                && stride == piece.stride
                && count == piece.count
                && at == piece.at
                && transposed == piece.transposed;
    }

    @Override
    public int hashCode() {
        return java.util.Objects.hash(name, start, run, stride, count, at, transposed);
    }
}
