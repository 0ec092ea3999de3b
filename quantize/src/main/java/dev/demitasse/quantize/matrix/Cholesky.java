package dev.demitasse.quantize.matrix;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.decomposition.chol.CholeskyDecompositionInner_DDRM;

/**
 * Cholesky's factorization H = LLᵀ and the inverse of L, in place, block by block (Golub and Van Loan, "Matrix
 * Computations", §4.2.9 and §3.1.4): the blocks on the diagonal are EJML's, everything else are products that cores share.
 * The result does not depend on how many cores there are.
 */
final class Cholesky {
    private static final int BLOCK = 96;

    private final double[] matrix;
    private final int width;
    private final View all;

    private Cholesky(double[] matrix, int width) {
        this.matrix = matrix;
        this.width = width;
        this.all = View.of(matrix, width, width);
    }

    /**
     * Replaces the lower triangle of {@code matrix [width, width]} by L; what stands above the diagonal is neither read nor
     * of any meaning afterwards.
     *
     * @return whether the matrix is positive definite; if not, its content is lost
     */
    static boolean factor(double[] matrix, int width) {
        Cholesky cholesky = new Cholesky(matrix, width);
        for (int first = 0; first < width; first += BLOCK) {
            if (!cholesky.eliminate(first, Math.min(BLOCK, width - first))) {
                return false;
            }
        }
        return true;
    }

    /** Replaces a lower triangle by its inverse, and what stands above the diagonal by zeros. */
    static void invert(double[] lower, int width) {
        Cholesky triangle = new Cholesky(lower, width);
        for (int first = 0; first < width; first += BLOCK) {
            triangle.invertRows(first, Math.min(BLOCK, width - first));
        }
    }

    /** Finishes columns {@code [first, first + size)} and takes what they explain off everything right of them. */
    private boolean eliminate(int first, int size) {
        DMatrixRMaj corner = new DMatrixRMaj(size, size);
        for (int row = 0; row < size; row++) {
            for (int column = 0; column <= row; column++) {
                double value = matrix[(first + row) * width + first + column];
                corner.set(row, column, value);
                corner.set(column, row, value);
            }
        }
        CholeskyDecompositionInner_DDRM decomposition = new CholeskyDecompositionInner_DDRM(true);
        if (!decomposition.decompose(corner)) {
            return false;
        }
        double[] factor = decomposition.getT(null).data;
        for (int row = 0; row < size; row++) {
            System.arraycopy(factor, row * size, matrix, (first + row) * width + first, size);
        }
        int start = first + size;
        int below = width - start;
        if (below == 0) {
            return true;
        }
        // L_below = H_below · L_cornerᵀ⁻¹, and its transpose, which the rest is updated with.
        double[] inverse = transposed(invertCorner(first, size), size);
        double[] across = new double[size * below];
        int tiles = Math.ceilDiv(below, BLOCK);
        IntStream.range(0, tiles).parallel().forEach(tile -> {
            int row = start + tile * BLOCK;
            int rows = Math.min(BLOCK, width - row);
            double[] before = copy(all.part(row, first, rows, size));
            View target = all.part(row, first, rows, size);
            clear(target);
            DoubleProduct.add(target, 1, View.of(before, rows, size), View.of(inverse, size, size));
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < size; j++) {
                    across[j * below + row - start + i] = matrix[(row + i) * width + first + j];
                }
            }
        });
        View right = View.of(across, size, below);
        // The last rows are longest: taken first, they do not keep the others waiting at the end.
        IntStream.range(0, tiles).parallel().forEach(tile -> {
            int row = (tiles - 1 - tile) * BLOCK;
            int rows = Math.min(BLOCK, below - row);
            DoubleProduct.add(
                    all.part(start + row, start, rows, row + rows),
                    -1,
                    all.part(start + row, first, rows, size),
                    right.part(0, 0, size, row + rows));
        });
        return true;
    }

    /** X_i = −L_ii⁻¹ · (L_i,0…i · X_0…i), X_ii = L_ii⁻¹, where the rows above are inverted already. */
    private void invertRows(int first, int size) {
        double[] corner = invertCorner(first, size);
        double[] left = copy(all.part(first, 0, size, first));
        // Columns of the inverse are independent of each other; those from `column` on are zero above row `column`.
        IntStream.range(0, Math.ceilDiv(first, BLOCK)).parallel().forEach(part -> {
            int column = part * BLOCK;
            int columns = Math.min(BLOCK, first - column);
            View product = View.of(new double[size * columns], size, columns);
            View known = all.part(column, column, first - column, columns);
            DoubleProduct.add(product, 1, View.of(left, size, first).part(0, column, size, first - column), known);
            View target = all.part(first, column, size, columns);
            clear(target);
            DoubleProduct.add(target, -1, View.of(corner, size, size), product);
        });
        for (int row = 0; row < size; row++) {
            int at = (first + row) * width + first;
            System.arraycopy(corner, row * size, matrix, at, size);
            Arrays.fill(matrix, at + size, (first + row + 1) * width, 0);
        }
    }

    private double[] invertCorner(int first, int size) {
        double[] inverse = new double[size * size];
        for (int row = 0; row < size; row++) {
            int at = (first + row) * width + first;
            double reciprocal = 1 / matrix[at + row];
            for (int k = 0; k < row; k++) {
                DoubleProduct.addScaled(inverse, row * size, -matrix[at + k] * reciprocal, inverse, k * size, k + 1);
            }
            inverse[row * size + row] = reciprocal;
        }
        return inverse;
    }

    private static double[] transposed(double[] square, int size) {
        double[] transposed = new double[square.length];
        for (int i = 0; i < square.length; i++) {
            transposed[i % size * size + i / size] = square[i];
        }
        return transposed;
    }

    private static double[] copy(View view) {
        double[] copy = new double[view.rows() * view.columns()];
        for (int row = 0; row < view.rows(); row++) {
            System.arraycopy(
                    view.values(), view.at() + row * view.stride(), copy, row * view.columns(), view.columns());
        }
        return copy;
    }

    private static void clear(View view) {
        for (int row = 0; row < view.rows(); row++) {
            int at = view.at() + row * view.stride();
            Arrays.fill(view.values(), at, at + view.columns(), 0);
        }
    }
}
