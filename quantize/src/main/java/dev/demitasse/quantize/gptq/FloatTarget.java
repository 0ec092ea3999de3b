package dev.demitasse.quantize.gptq;

import dev.demitasse.quantize.matrix.FloatPanels;
import dev.demitasse.quantize.matrix.FloatProduct;
import dev.demitasse.quantize.matrix.FloatView;
import dev.demitasse.quantize.matrix.InverseFactor;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.stream.IntStream;

/**
 * The weight that, on the quantized model's activations, comes nearest to what the module gives in the float model, so
 * that GPTQ repairs the errors of the layers before it as well as its own:
 * W* = W + α · M (H + λI)⁻¹, where M = W (A_f − A_q)ᵀA_q, and for a module that adds to the residual stream
 * M = (W (A_f − A_q)ᵀ + (R_f − R_q)ᵀ) A_q with the streams R before the addition.
 *
 * <p>A closed form of what GPTAQ does column by column (Li et al., arXiv:2504.02692, §4); the residual term is not in that
 * paper. The shrinking α and the damping λ hold back what is noise of a finite calibration.
 *
 * <p>Shapes: W and M {@code [out, in]}, A {@code [tokens, in]}, R {@code [tokens, out]}, H {@code [in, in]}.
 */
public final class FloatTarget {
    private static final int TILE = 96;

    private final int[] order;
    private final FloatPanels upper;
    private final FloatPanels lower;
    private final double alpha;

    FloatTarget(InverseFactor factor, FloatPanels upper, double alpha) {
        this.order = factor.order();
        this.upper = upper;
        this.alpha = alpha;
        this.lower = upper.transposed();
    }

    /** W* of a weight whose M is its product with {@code drift}, the moment of A_f − A_q with A_q {@code [in, in]}. */
    public Matrix drifted(Matrix weight, FloatPanels drift) {
        return aim(
                weight,
                (first, rows, moment) -> FloatProduct.add(
                        FloatView.of(moment, rows, weight.columns()),
                        1,
                        FloatView.of(weight).part(first, 0, rows, weight.columns()),
                        drift));
    }

    /** W* of a weight whose M is {@code missed}, the moment of the outputs it misses with A_q {@code [out, in]}. */
    public Matrix missed(Matrix weight, Matrix missed) {
        return aim(
                weight,
                (first, rows, moment) -> System.arraycopy(
                        missed.values(), first * weight.columns(), moment, 0, rows * weight.columns()));
    }

    /** Fills in some rows of M. */
    @FunctionalInterface
    private interface Moment {
        void read(int first, int rows, float[] moment);
    }

    private Matrix aim(Matrix weight, Moment moments) {
        Matrix target = weight.copy();
        int width = weight.columns();
        IntStream.range(0, Math.ceilDiv(weight.rows(), TILE)).parallel().forEach(tile -> {
            int first = tile * TILE;
            int rows = Math.min(TILE, weight.rows() - first);
            float[] moment = new float[rows * width];
            moments.read(first, rows, moment);
            addSolution(target, moment, first, rows);
        });
        return target;
    }

    /** Adds α M (H + λI)⁻¹ = α ((M Pᵀ) Uᵀ U) P. */
    private void addSolution(Matrix target, float[] moment, int first, int rows) {
        int width = target.columns();
        float[] ordered = new float[rows * width];
        for (int i = 0; i < ordered.length; i++) {
            ordered[i] = moment[i - i % width + order[i % width]];
        }
        float[] half = new float[rows * width];
        FloatProduct.add(FloatView.of(half, rows, width), 1, FloatView.of(ordered, rows, width), lower);
        float[] whole = new float[rows * width];
        FloatProduct.add(FloatView.of(whole, rows, width), (float) alpha, FloatView.of(half, rows, width), upper);
        for (int i = 0; i < whole.length; i++) {
            target.values()[first * width + i - i % width + order[i % width]] += whole[i];
        }
    }
}
