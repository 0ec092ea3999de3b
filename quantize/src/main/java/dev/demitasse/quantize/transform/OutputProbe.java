package dev.demitasse.quantize.transform;

import dev.demitasse.quantize.matrix.FloatPanels;
import dev.demitasse.quantize.matrix.FloatProduct;
import dev.demitasse.quantize.matrix.FloatView;
import dev.demitasse.quantize.matrix.Matrix;
import dev.demitasse.quantize.transform.Factors.Reader;
import dev.demitasse.quantize.transform.Factors.ScaledInput;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * Measures what rounding costs at the outputs, |Q(X / s) Q(W · s)ᵀ − XWᵀ|², on a sample of tokens and of rows of each
 * weight: what a search over factors needs to tell one from another.
 */
final class OutputProbe {
    /** Rows that are looked at of each weight, evenly taken. */
    private static final int ROWS = 256;

    private final Matrix sample;
    private final List<Matrix> weights = new ArrayList<>();
    private final List<Matrix> exact = new ArrayList<>();

    OutputProbe(ScaledInput input) {
        this.sample = input.seen().sample();
        FloatPanels transposed = transposed(sample);
        for (Reader reader : input.readers()) {
            if (reader.key().role().projection()) {
                Matrix rows = rows(reader.weight());
                weights.add(rows);
                exact.add(product(rows, transposed));
            }
        }
    }

    /** Of one weight, all of its rows. */
    OutputProbe(Matrix weight, Matrix sample) {
        this.sample = sample;
        weights.add(weight);
        exact.add(product(weight, transposed(sample)));
    }

    private static Matrix rows(Matrix weight) {
        int count = Math.min(ROWS, weight.rows());
        int columns = weight.columns();
        float[] values = new float[count * columns];
        for (int row = 0; row < count; row++) {
            int from = (int) ((long) row * weight.rows() / count);
            System.arraycopy(weight.values(), from * columns, values, row * columns, columns);
        }
        return new Matrix(count, columns, values);
    }

    /** The squared error of all outputs, where weights {@code · factors} and activations {@code / factors} are rounded. */
    double error(float[] factors, UnaryOperator<Matrix> weightRounding, UnaryOperator<Matrix> inputRounding) {
        Matrix inputs = inputRounding.apply(scaled(sample, factors, true));
        FloatPanels transposed = transposed(inputs);
        double error = 0;
        for (int i = 0; i < weights.size(); i++) {
            Matrix rounded = weightRounding.apply(scaled(weights.get(i), factors, false));
            float[] given = product(rounded, transposed).values();
            float[] wanted = exact.get(i).values();
            for (int at = 0; at < given.length; at++) {
                double difference = (double) given[at] - wanted[at];
                error += difference * difference;
            }
        }
        return error;
    }

    private static Matrix scaled(Matrix matrix, float[] factors, boolean divide) {
        Matrix scaled = matrix.copy();
        for (int i = 0; i < scaled.values().length; i++) {
            float factor = factors[i % factors.length];
            scaled.values()[i] = divide ? scaled.values()[i] / factor : scaled.values()[i] * factor;
        }
        return scaled;
    }

    private static FloatPanels transposed(Matrix matrix) {
        float[] values = new float[matrix.values().length];
        for (int row = 0; row < matrix.rows(); row++) {
            for (int column = 0; column < matrix.columns(); column++) {
                values[column * matrix.rows() + row] = matrix.at(row, column);
            }
        }
        return FloatPanels.pack(FloatView.of(values, matrix.columns(), matrix.rows()));
    }

    /** {@code [rows, tokens]}. */
    private static Matrix product(Matrix weight, FloatPanels transposed) {
        int tile = 96;
        Matrix result =
                new Matrix(weight.rows(), transposed.columns(), new float[weight.rows() * transposed.columns()]);
        IntStream.range(0, Math.ceilDiv(weight.rows(), tile)).parallel().forEach(part -> {
            int first = part * tile;
            int rows = Math.min(tile, weight.rows() - first);
            FloatProduct.add(
                    FloatView.of(result).part(first, 0, rows, result.columns()),
                    1,
                    FloatView.of(weight).part(first, 0, rows, weight.columns()),
                    transposed);
        });
        return result;
    }
}
