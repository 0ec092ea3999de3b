package dev.demitasse.quantize.matrix;

/**
 * The moment of two activations of the same tokens, 2/N · YᵀX {@code [left, right]}, Y {@code [tokens, left]} and X
 * {@code [tokens, right]}: normalised and summed as a {@link Hessian} is. Memory: {@code left · right} doubles.
 */
public final class CrossMoment {
    private final int left;
    private final int right;
    private final TokenSums sums;
    private final TokenBatch leftBatch;
    private final TokenBatch rightBatch;
    private long tokens;

    public CrossMoment(int left, int right) {
        this.left = left;
        this.right = right;
        this.sums = new TokenSums(left, right, false);
        this.leftBatch = new TokenBatch(left, true, false);
        this.rightBatch = new TokenBatch(right, false, true);
    }

    /** Adds {@code tokens} rows of {@code y} and of {@code x}, row-major. */
    public void add(float[] y, float[] x, int tokens) {
        int done = 0;
        while (done < tokens) {
            leftBatch.take(y, done, tokens - done);
            done += rightBatch.take(x, done, tokens - done);
            if (rightBatch.full()) {
                flush();
            }
        }
        this.tokens += tokens;
    }

    private void flush() {
        sums.add(leftBatch, rightBatch);
        leftBatch.clear();
        rightBatch.clear();
    }

    private double factor() {
        if (tokens == 0) {
            throw new IllegalStateException("no activations were added");
        }
        flush();
        return 2.0 / tokens;
    }

    /** The matrix {@code [left, right]} in floats, as the right side of products. */
    public FloatPanels panels() {
        double factor = factor();
        return FloatPanels.pack(left, right, (row, column, count, target, at) -> {
            for (int i = 0; i < count; i++) {
                target[at + i] = (float) (sums.at(row, column + i) * factor);
            }
        });
    }

    /** The matrix {@code [left, right]} in floats. */
    public Matrix matrix() {
        double factor = factor();
        float[] values = new float[Math.multiplyExact(left, right)];
        for (int row = 0; row < left; row++) {
            for (int column = 0; column < right; column++) {
                values[row * right + column] = (float) (sums.at(row, column) * factor);
            }
        }
        return new Matrix(left, right, values);
    }

    /** A copy of the matrix {@code [left, right]}. */
    public View moment() {
        double factor = factor();
        double[] matrix = new double[Math.multiplyExact(left, right)];
        for (int row = 0; row < left; row++) {
            for (int column = 0; column < right; column++) {
                matrix[row * right + column] = sums.at(row, column) * factor;
            }
        }
        return View.of(matrix, left, right);
    }
}
