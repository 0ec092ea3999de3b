package dev.demitasse.quantize.gptq;

import dev.demitasse.quantize.matrix.FloatPanels;
import dev.demitasse.quantize.matrix.FloatProduct;
import dev.demitasse.quantize.matrix.FloatView;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import java.util.Arrays;
import java.util.stream.IntStream;

/** What quantizing costs at a module's output, |X(W − Q)ᵀ|² / |XWᵀ|², from the second moment of X alone: tr(EHEᵀ). */
public final class OutputError {
    private static final int TILE = 96;

    private OutputError() {}

    /** Copies a row of a matrix into {@code target} from index {@code at}. */
    @FunctionalInterface
    public interface Rows {
        void readRow(int row, double[] target, int at);
    }

    /** Relative error of {@code quantized} against {@code weight}, both {@code [rows, in]}. */
    public static double relative(int rows, Rows weight, Rows quantized, SecondMoment moment) {
        FloatPanels hessian = moment.panels();
        int columns = moment.width();
        int tiles = Math.ceilDiv(rows, TILE);
        double[] lost = new double[tiles];
        double[] whole = new double[tiles];
        IntStream.range(0, tiles).parallel().forEach(tile -> {
            int count = Math.min(TILE, rows - tile * TILE);
            float[] exact = new float[count * columns];
            float[] error = new float[count * columns];
            double[] exactRow = new double[columns];
            double[] row = new double[columns];
            for (int i = 0; i < count; i++) {
                weight.readRow(tile * TILE + i, exactRow, 0);
                quantized.readRow(tile * TILE + i, row, 0);
                for (int column = 0; column < columns; column++) {
                    boolean dead = moment.dead(column);
                    exact[i * columns + column] = dead ? 0 : (float) exactRow[column];
                    error[i * columns + column] = dead ? 0 : (float) (exactRow[column] - row[column]);
                }
            }
            lost[tile] = energy(error, count, hessian);
            whole[tile] = energy(exact, count, hessian);
        });
        double total = Arrays.stream(whole).sum();
        return total == 0 ? 0 : Arrays.stream(lost).sum() / total;
    }

    private static double energy(float[] rows, int count, FloatPanels hessian) {
        float[] product = new float[rows.length];
        int columns = hessian.columns();
        FloatProduct.add(FloatView.of(product, count, columns), 1, FloatView.of(rows, count, columns), hessian);
        double sum = 0;
        for (int i = 0; i < rows.length; i++) {
            sum += (double) rows[i] * product[i];
        }
        return sum;
    }
}
