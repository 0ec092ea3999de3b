package dev.demitasse.quantize.matrix;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import java.util.Arrays;
import java.util.stream.IntStream;

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
 *
 * <p>Memory: while it is computed one matrix of doubles, {@code width² · 8} bytes, in which all is done; afterwards half a
 * matrix of floats.
 */
public final class InverseFactor {
    private static final double SMALLEST_RAISED = 1e-4;
    private static final double LARGEST = 10;

    private final int width;
    private final int[] order;
    private final FloatPanels upper;
    private final double[] diagonal;
    private final double damping;

    private InverseFactor(int width, int[] order, double[] upper, double damping) {
        this.width = width;
        this.order = order;
        this.upper = FloatPanels.pack(View.of(upper, width, width));
        this.diagonal = new double[width];
        Arrays.setAll(diagonal, i -> upper[i * width + i]);
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
            double[] lower = reversed(moment, order, tried * mean);
            if (Cholesky.factor(lower, width)) {
                Cholesky.invert(lower, width);
                return new InverseFactor(width, order.clone(), reverse(lower, width), tried);
            }
        }
        throw new InvalidRequestException(
                "calibration",
                "activations are not finite numbers, their second moment cannot be inverted",
                "check that the model itself gives finite logits");
    }

    private static double[] reversed(SecondMoment moment, int[] order, double added) {
        int width = moment.width();
        double[] matrix = new double[Math.multiplyExact(width, width)];
        IntStream.range(0, width).parallel().forEach(row -> {
            for (int column = 0; column <= row; column++) {
                matrix[row * width + column] = moment.at(order[width - 1 - row], order[width - 1 - column]);
            }
            matrix[row * width + row] += added;
        });
        return matrix;
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

    /** U in floats, in the order of {@link #order}, as the right side of products. */
    public FloatPanels panels() {
        return upper;
    }

    /** U_jj in double. */
    public double diagonal(int position) {
        return diagonal[position];
    }
}
