package dev.demitasse.quantize.gptq;

import dev.demitasse.quantize.matrix.DoubleProduct;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.View;
import java.util.stream.IntStream;

/** What quantizing costs at a module's output, |X(W − Q)ᵀ|² / |XWᵀ|², from the second moment of X alone: tr(EHEᵀ). */
public final class OutputError {
    private static final int TILE = 32;

    private OutputError() {}

    /** Copies a row of a matrix into {@code target} from index {@code at}. */
    @FunctionalInterface
    public interface Rows {
        void readRow(int row, double[] target, int at);
    }

    /** Relative error of {@code quantized} against {@code weight}, both {@code [rows, in]}. */
    public static double relative(int rows, Rows weight, Rows quantized, SecondMoment moment) {
        int columns = moment.width();
        int tiles = Math.ceilDiv(rows, TILE);
        double[] lost = new double[tiles];
        double[] whole = new double[tiles];
        IntStream.range(0, tiles).parallel().forEach(tile -> {
            int count = Math.min(TILE, rows - tile * TILE);
            double[] exact = new double[count * columns];
            double[] error = new double[count * columns];
            for (int row = 0; row < count; row++) {
                weight.readRow(tile * TILE + row, exact, row * columns);
                quantized.readRow(tile * TILE + row, error, row * columns);
            }
            for (int i = 0; i < error.length; i++) {
                exact[i] = moment.dead(i % columns) ? 0 : exact[i];
                error[i] = moment.dead(i % columns) ? 0 : exact[i] - error[i];
            }
            lost[tile] = energy(error, count, moment);
            whole[tile] = energy(exact, count, moment);
        });
        double total =
                IntStream.range(0, tiles).mapToDouble(tile -> whole[tile]).sum();
        return total == 0
                ? 0
                : IntStream.range(0, tiles).mapToDouble(tile -> lost[tile]).sum() / total;
    }

    private static double energy(double[] rows, int count, SecondMoment moment) {
        int columns = moment.width();
        double[] product = new double[rows.length];
        DoubleProduct.add(View.of(product, count, columns), 1, View.of(rows, count, columns), moment.view());
        double sum = 0;
        for (int i = 0; i < rows.length; i++) {
            sum += rows[i] * product[i];
        }
        return sum;
    }
}
