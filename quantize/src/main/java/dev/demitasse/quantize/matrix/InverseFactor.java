package dev.demitasse.quantize.matrix;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import java.util.stream.IntStream;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.decomposition.chol.CholeskyDecompositionBlock_DDRM;

/**
 * The upper triangular U with (PHPᵀ + λI)⁻¹ = UᵀU: row j tells how the error of column j spreads to the columns after
 * it, U_jj² is the variance that column j has left once those before it are fixed (Frantar et al., arXiv:2210.17323,
 * §3.3 step 3). P puts columns into the order they will be quantized in; λ = damping · mean(diag H).
 *
 * <p>Deviation: the paper inverts H and factors the inverse. With the order of rows and columns reversed, one Cholesky
 * factorization H = ŪŪᵀ gives U = Ū⁻¹ by inverting a triangle: half the work and a smaller error.
 *
 * <p>Where the factorization fails (few tokens, or inputs that depend on each other), damping is raised tenfold until it
 * does not.
 */
public final class InverseFactor {
    private static final double SMALLEST_RAISED = 1e-4;
    private static final double LARGEST = 10;
    private static final int BLOCK = 64;

    private final int width;
    private final int[] order;
    private final double[] upper;
    private final double damping;

    private InverseFactor(int width, int[] order, double[] upper, double damping) {
        this.width = width;
        this.order = order;
        this.upper = upper;
        this.damping = damping;
    }

    /**
     * @param order the column that is quantized first, second, …
     * @param damping share of the mean diagonal that is added to the diagonal; 0.01 in the paper
     */
    public static InverseFactor of(SecondMoment moment, int[] order, double damping) {
        int width = moment.width();
        double mean = moment.meanDiagonal();
        for (double tried = Double.isFinite(mean) ? damping : Double.MAX_VALUE;
                tried <= LARGEST;
                tried = Math.max(SMALLEST_RAISED, tried * 10)) {
            DMatrixRMaj reversed = reversed(moment, order, tried * mean);
            CholeskyDecompositionBlock_DDRM cholesky = new CholeskyDecompositionBlock_DDRM(BLOCK);
            if (cholesky.decompose(reversed)) {
                double[] lower = cholesky.getT().data;
                invertLower(lower, width);
                return new InverseFactor(width, order.clone(), reverse(lower, width), tried);
            }
        }
        throw new InvalidRequestException(
                "calibration",
                "activations are not finite numbers, their second moment cannot be inverted",
                "check that the model itself gives finite logits");
    }

    private static DMatrixRMaj reversed(SecondMoment moment, int[] order, double added) {
        int width = moment.width();
        DMatrixRMaj matrix = new DMatrixRMaj(width, width);
        IntStream.range(0, width).parallel().forEach(row -> {
            for (int column = 0; column < width; column++) {
                matrix.data[row * width + column] = moment.at(order[width - 1 - row], order[width - 1 - column]);
            }
            matrix.data[row * width + row] += added;
        });
        return matrix;
    }

    /** L := L⁻¹, block row by block row: X_i = −L_ii⁻¹ · (L_i,0…i · X_0…i), X_ii = L_ii⁻¹. What is above is ignored. */
    private static void invertLower(double[] matrix, int width) {
        View all = View.of(matrix, width, width);
        for (int first = 0; first < width; first += BLOCK) {
            int rows = Math.min(BLOCK, width - first);
            int start = first;
            double[] corner = invertCorner(matrix, width, first, rows);
            double[] left = new double[rows * first];
            for (int row = 0; row < rows; row++) {
                System.arraycopy(matrix, (first + row) * width, left, row * first, first);
            }
            // Columns of the inverse are independent of each other; those from `column` on are zero above row `column`.
            IntStream.range(0, Math.ceilDiv(first, BLOCK)).parallel().forEach(part -> {
                int column = part * BLOCK;
                int columns = Math.min(BLOCK, start - column);
                View product = View.of(new double[rows * columns], rows, columns);
                View known = all.part(column, column, start - column, columns);
                DoubleProduct.add(product, 1, View.of(left, rows, start).part(0, column, rows, start - column), known);
                View target = all.part(start, column, rows, columns);
                for (int row = 0; row < rows; row++) {
                    java.util.Arrays.fill(
                            matrix, (start + row) * width + column, (start + row) * width + column + columns, 0);
                }
                DoubleProduct.add(target, -1, View.of(corner, rows, rows), product);
            });
            for (int row = 0; row < rows; row++) {
                System.arraycopy(corner, row * rows, matrix, (first + row) * width + first, rows);
                java.util.Arrays.fill(matrix, (first + row) * width + first + rows, (first + row + 1) * width, 0);
            }
        }
    }

    private static double[] invertCorner(double[] matrix, int width, int first, int rows) {
        double[] inverse = new double[rows * rows];
        for (int row = 0; row < rows; row++) {
            int at = (first + row) * width + first;
            double reciprocal = 1 / matrix[at + row];
            for (int k = 0; k < row; k++) {
                DoubleProduct.addScaled(inverse, row * rows, -matrix[at + k] * reciprocal, inverse, k * rows, k + 1);
            }
            inverse[row * rows + row] = reciprocal;
        }
        return inverse;
    }

    /** Turns a lower triangle into an upper one by reversing rows and columns; in place. */
    private static double[] reverse(double[] matrix, int width) {
        for (int low = 0, high = width * width - 1; low < high; low++, high--) {
            double value = matrix[low];
            matrix[low] = matrix[high];
            matrix[high] = value;
        }
        return matrix;
    }

    public int width() {
        return width;
    }

    /** The column that is quantized first, second, …; not to be written to. */
    public int[] order() {
        return order;
    }

    /** The damping that the factorization succeeded with. */
    public double damping() {
        return damping;
    }

    /** U, in the order of {@link #order}; not to be written to. */
    public View upper() {
        return View.of(upper, width, width);
    }

    public double diagonal(int position) {
        return upper[position * width + position];
    }
}
