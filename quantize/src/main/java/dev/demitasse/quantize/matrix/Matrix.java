package dev.demitasse.quantize.matrix;

import dev.demitasse.model.Tensor;

/**
 * A matrix of floats, row-major: a weight {@code [out, in]} or activations {@code [tokens, in]}.
 *
 * @param values {@code rows · columns} of them; shared, not copied
 */
@SuppressWarnings("ArrayRecordComponent") // compared by identity, never by content
public record Matrix(int rows, int columns, float[] values) {
    public Matrix {
        if (values.length != Math.multiplyExact(rows, columns)) {
            throw new IllegalArgumentException("%d values for [%d, %d]".formatted(values.length, rows, columns));
        }
    }

    /** A decoded copy of {@code tensor}. */
    public static Matrix of(Tensor tensor) {
        return new Matrix(tensor.rows(), tensor.columns(), tensor.toFloats());
    }

    /** A matrix of its own with the same content. */
    public Matrix copy() {
        return new Matrix(rows, columns, values.clone());
    }

    public float at(int row, int column) {
        return values[row * columns + column];
    }

    /** Copies row {@code row} into {@code target} from index {@code at}, widened. */
    public void readRow(int row, double[] target, int at) {
        for (int column = 0; column < columns; column++) {
            target[at + column] = values[row * columns + column];
        }
    }
}
