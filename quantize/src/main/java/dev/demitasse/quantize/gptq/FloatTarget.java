package dev.demitasse.quantize.gptq;

import dev.demitasse.quantize.matrix.CrossMoment;
import dev.demitasse.quantize.matrix.DoubleProduct;
import dev.demitasse.quantize.matrix.InverseFactor;
import dev.demitasse.quantize.matrix.Matrix;
import dev.demitasse.quantize.matrix.View;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The weight that, on the quantized model's activations, comes nearest to what the module gives in the float model, so
 * that GPTQ repairs the errors of the layers before it as well as its own:
 * W* = W + α · W (A_f − A_q)ᵀA_q (H + λI)⁻¹, and for a module that adds to the residual stream,
 * + α · (R_f − R_q)ᵀA_q (H + λI)⁻¹ with the streams R before the addition.
 *
 * <p>A closed form of what GPTAQ does column by column (Li et al., arXiv:2504.02692, §4); the residual term is not in that
 * paper. The shrinking α and the damping λ hold back what is noise of a finite calibration.
 *
 * <p>Shapes: W {@code [out, in]}, A {@code [tokens, in]}, R {@code [tokens, out]}, H {@code [in, in]}.
 */
public final class FloatTarget {
    private static final int TILE = 32;

    private final View drift;
    private final Optional<View> residual;
    private final double alpha;
    private final InverseFactor factor;
    private final double[] lower;

    /**
     * @param drift of A_f − A_q with A_q
     * @param residual of R_f − R_q with A_q, for a module that adds to the residual stream
     */
    public FloatTarget(CrossMoment drift, Optional<CrossMoment> residual, double alpha, InverseFactor factor) {
        this.drift = drift.moment();
        this.residual = residual.map(CrossMoment::moment);
        this.alpha = alpha;
        this.factor = factor;
        int width = factor.width();
        double[] upper = factor.upper().values();
        this.lower = new double[upper.length];
        IntStream.range(0, width).parallel().forEach(row -> {
            for (int column = 0; column <= row; column++) {
                lower[row * width + column] = upper[column * width + row];
            }
        });
    }

    /** W* for {@code weight}. */
    public Matrix of(Matrix weight) {
        Matrix target = weight.copy();
        IntStream.range(0, Math.ceilDiv(weight.rows(), TILE)).parallel().forEach(tile -> {
            int first = tile * TILE;
            addCorrection(target, weight, first, Math.min(TILE, weight.rows() - first));
        });
        return target;
    }

    private void addCorrection(Matrix target, Matrix weight, int first, int rows) {
        int width = weight.columns();
        double[] values = new double[rows * width];
        for (int row = 0; row < rows; row++) {
            weight.readRow(first + row, values, row * width);
        }
        double[] moment = new double[rows * width];
        View product = View.of(moment, rows, width);
        DoubleProduct.add(product, alpha, View.of(values, rows, width), drift);
        residual.ifPresent(view -> {
            for (int i = 0; i < moment.length; i++) {
                moment[i] += alpha * view.values()[first * width + i];
            }
        });
        // M (H + λI)⁻¹ = ((M Pᵀ) Uᵀ U) P.
        int[] order = factor.order();
        double[] ordered = new double[rows * width];
        for (int i = 0; i < ordered.length; i++) {
            ordered[i] = moment[i - i % width + order[i % width]];
        }
        double[] half = new double[rows * width];
        DoubleProduct.add(View.of(half, rows, width), 1, View.of(ordered, rows, width), View.of(lower, width, width));
        double[] whole = new double[rows * width];
        DoubleProduct.add(View.of(whole, rows, width), 1, View.of(half, rows, width), factor.upper());
        for (int i = 0; i < whole.length; i++) {
            target.values()[first * width + i - i % width + order[i % width]] += (float) whole[i];
        }
    }
}
