package dev.demitasse.quantize;

import dev.demitasse.model.Outliers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.quantize.OutlierChoice.By;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.Hessian.Without;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * Columns that stay in float16 while the others of the projections of one input are rounded.
 *
 * <p>By magnitude: those whose activations are largest (Dettmers et al., LLM.int8(), arXiv:2208.07339, §3.2). Deviation: a fixed
 * share of the columns by their root mean square, where the paper takes all with any activation above 6; sizes are known
 * before anything is computed, and no model's own scale of activations matters.
 *
 * <p>By error: those with the largest H_jj · |W_j − Q(W)_j|², what rounding them to nearest costs at the output (Lee et al.,
 * OWQ, arXiv:2306.02272, §3.2, equation 4).
 *
 * <p>Where errors are made up for (GPTQ), these columns are the last to do so, as in OWQ's code: given the others' errors E the
 * best kept columns are W_k + E H_nk (H_kk + λI)⁻¹, and what is left of H for the others is its Schur complement
 * ({@link SecondMoment#without}). SpQR (Dettmers et al., arXiv:2306.03078) keeps single weights besides, which this does not.
 */
final class KeptColumns {
    private final int[] columns;
    private final Optional<Without> remaining;

    private KeptColumns(int[] columns, Optional<Without> remaining) {
        this.columns = columns;
        this.remaining = remaining;
    }

    /**
     * @param weights that read the input
     * @param rounding to nearest, of a weight
     * @param damping share of the moment's mean diagonal, for what is made up
     */
    static KeptColumns choose(
            OutlierChoice choice,
            SecondMoment moment,
            List<Matrix> weights,
            UnaryOperator<Matrix> rounding,
            double damping) {
        double[] costs = moment.diagonal();
        if (choice.by() == By.ERROR) {
            double[] lost = new double[costs.length];
            for (Matrix weight : weights) {
                addSquares(weight, rounding.apply(weight), lost);
            }
            Arrays.setAll(costs, column -> moment.dead(column) ? 0 : costs[column] * lost[column]);
        }
        int[] chosen = most(costs, choice);
        return new KeptColumns(chosen, Optional.of(moment.without(chosen, damping)));
    }

    /** Where nothing is known of the input: the columns of the largest weights. */
    static KeptColumns largest(OutlierChoice choice, Matrix weight) {
        double[] squares = new double[weight.columns()];
        addSquares(weight, new Matrix(weight.rows(), weight.columns(), new float[weight.values().length]), squares);
        return new KeptColumns(most(squares, choice), Optional.empty());
    }

    private static int[] most(double[] costs, OutlierChoice choice) {
        return IntStream.range(0, costs.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer column) -> -costs[column]))
                .limit(Outliers.count(choice.share(), costs.length))
                .mapToInt(Integer::intValue)
                .sorted()
                .toArray();
    }

    private static void addSquares(Matrix weight, Matrix rounded, double[] sums) {
        for (int i = 0; i < weight.values().length; i++) {
            double difference = weight.values()[i] - rounded.values()[i];
            sums[i % sums.length] += difference * difference;
        }
    }

    /** What matters of the input once these columns make up for the errors of all others. */
    SecondMoment remaining() {
        return remaining.orElseThrow().moment();
    }

    /** {@code weight} with zeros in these columns. */
    Matrix without(Matrix weight) {
        Matrix rest = weight.copy();
        for (int row = 0; row < rest.rows(); row++) {
            for (int column : columns) {
                rest.values()[row * rest.columns() + column] = 0;
            }
        }
        return rest;
    }

    /**
     * These columns beside {@code rounded}.
     *
     * @param aim what the whole weight is to come near to
     * @param compensates whether they make up for the others' errors, or stay as they are in {@code aim}
     */
    RoundedTensor beside(RoundedTensor rounded, Matrix aim, boolean compensates) {
        String name = rounded.weight().name() + "_outliers";
        Tensor values = Tensor.allocate(name, ScalarFormat.F16, aim.rows(), columns.length);
        IntStream.range(0, aim.rows()).parallel().forEach(row -> {
            float[] errors = new float[aim.columns()];
            rounded.readRow(row, errors, 0);
            for (int column = 0; column < errors.length; column++) {
                errors[column] = aim.at(row, column) - errors[column];
            }
            float[] kept = new float[columns.length];
            for (int i = 0; i < kept.length; i++) {
                kept[i] = aim.at(row, columns[i])
                        + (compensates ? (float) remaining.orElseThrow().madeUp(i, errors) : 0);
            }
            values.writeRow(row, kept, 0);
        });
        return rounded.with(new Outliers(columns, values));
    }
}
