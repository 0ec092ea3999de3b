package dev.demitasse.quantize.grid;

import dev.demitasse.quantize.matrix.Matrix;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Rounds every weight to the nearest number of its group's grid. For GGUF formats {@code TensorFormat.encode} is the
 * reference: its scales are GGML's; these are the grid's own, searched under equal importance.
 */
public final class RoundToNearest {
    private RoundToNearest() {}

    public static QuantizedMatrix quantize(Matrix weight, Grid grid) {
        int columns = weight.columns();
        int size = grid.groupSize(columns);
        QuantizedMatrix result = new QuantizedMatrix(grid, weight.rows(), columns);
        double[] importance = new double[size];
        Arrays.fill(importance, 1);
        IntStream.range(0, weight.rows()).parallel().forEach(row -> {
            double[] values = new double[columns];
            weight.readRow(row, values, 0);
            for (int at = 0; at < columns; at += size) {
                int count = Math.min(size, columns - at);
                result.setStep(row, at / size, grid.fit(values, at, importance, 0, count));
                for (int column = at; column < at + count; column++) {
                    result.round(row, column, values[column]);
                }
            }
        });
        return result;
    }
}
