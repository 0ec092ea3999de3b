package dev.demitasse.quantize;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.Optional;

/**
 * What rows are divided by before blocks of a format whose scales are relative to a row's are chosen: NF4 with double
 * quantization.
 */
final class RowScales {
    private final float[] values;

    private RowScales(float[] values) {
        this.values = values;
    }

    /** Those of {@code aim}, its largest number in each row becoming the format's; empty where blocks need none. */
    static Optional<RowScales> of(TensorFormat format, Matrix aim) {
        if (!(format instanceof BlockFormat) || !format.rowScaled()) {
            return Optional.empty();
        }
        float[] scales = new float[aim.rows()];
        for (int row = 0; row < scales.length; row++) {
            float largest = 0;
            for (int column = 0; column < aim.columns(); column++) {
                largest = Math.max(largest, Math.abs(aim.at(row, column)));
            }
            scales[row] = largest / format.largest();
        }
        return Optional.of(new RowScales(scales));
    }

    /** {@code weight}, each row divided by its scale. */
    Matrix divide(Matrix weight) {
        float[] divided = new float[weight.values().length];
        for (int i = 0; i < divided.length; i++) {
            float scale = values[i / weight.columns()];
            divided[i] = scale == 0 ? 0 : weight.values()[i] / scale;
        }
        return new Matrix(weight.rows(), weight.columns(), divided);
    }

    Tensor tensor(String name) {
        return Tensor.ofFloats(name, values, values.length);
    }
}
