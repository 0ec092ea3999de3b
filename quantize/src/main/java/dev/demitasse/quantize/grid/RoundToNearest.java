package dev.demitasse.quantize.grid;

import dev.demitasse.model.format.BlockFit;
import dev.demitasse.model.format.BlockNumbers;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Rounds every weight to the nearest number of its sub-block's grid, the scales chosen under the importance of columns.
 * With the mean square of each input as importance this is what llama.cpp does with an importance matrix. For GGUF formats
 * {@code TensorFormat.encode} is the reference: its scales are GGML's.
 */
public final class RoundToNearest {
    private RoundToNearest() {}

    /** All columns alike. */
    public static QuantizedMatrix quantize(Matrix weight, Grid grid) {
        double[] importance = new double[weight.columns()];
        Arrays.fill(importance, 1);
        return quantize(weight, grid, importance);
    }

    /** @param importance of each column's squared error, {@code [in]} */
    public static QuantizedMatrix quantize(Matrix weight, Grid grid, double[] importance) {
        int columns = weight.columns();
        int size = grid.blockSize();
        QuantizedMatrix result = new QuantizedMatrix(grid, weight.rows(), columns);
        IntStream.range(0, weight.rows()).parallel().forEach(row -> {
            BlockFit fit = new BlockFit(grid.scheme());
            BlockNumbers numbers = new BlockNumbers(grid.scheme());
            double[] values = new double[columns];
            weight.readRow(row, values, 0);
            for (int at = 0; at < columns; at += size) {
                grid.fitting().fit(fit, values, at, importance, at, numbers);
                result.setScales(row, at / size, numbers);
                for (int column = at; column < at + size; column++) {
                    result.round(row, column, values[column]);
                }
            }
        });
        return result;
    }
}
