package dev.demitasse.quantize;

import dev.demitasse.model.Outliers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.grid.RoundToNearest;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A matrix in its final format.
 *
 * @param scale one for each row, where the format wants them
 * @param outliers columns kept beside it
 */
record RoundedTensor(Tensor weight, Optional<Tensor> scale, Optional<Outliers> outliers) {
    RoundedTensor(Tensor weight, Optional<Tensor> scale) {
        this(weight, scale, Optional.empty());
    }

    /** With columns beside it that take the place of the rounded ones. */
    RoundedTensor with(Outliers kept) {
        return new RoundedTensor(weight, scale, Optional.of(kept));
    }

    /** All tensors that make it up, those beside the weight by {@code key} with another part. */
    Map<TensorKey, Tensor> tensors(TensorKey key) {
        Map<TensorKey, Tensor> tensors = new LinkedHashMap<>();
        tensors.put(key, weight);
        scale.ifPresent(factors -> tensors.put(key.part(Part.SCALE), factors));
        outliers.ifPresent(kept -> {
            tensors.put(key.part(Part.OUTLIERS), kept.values());
            tensors.put(key.part(Part.OUTLIER_COLUMNS), kept.columnTensor(weight.name() + "_outlier_columns"));
        });
        return tensors;
    }

    /** Every number of {@code source} to the nearest in {@code format}, by the format's reference encoder. */
    static RoundedTensor nearest(Tensor source, TensorFormat format) {
        if (!format.rowScaled()) {
            return new RoundedTensor(source.to(format), Optional.empty());
        }
        Tensor codes = Tensor.allocate(source.name(), format, source.shape());
        float[] scales = new float[source.rows()];
        IntStream.range(0, scales.length).parallel().forEach(row -> {
            float[] values = new float[source.columns()];
            source.readRow(row, values, 0);
            float largest = 0;
            for (float value : values) {
                largest = Math.max(largest, Math.abs(value));
            }
            scales[row] = largest / format.largest();
            for (int column = 0; column < values.length && scales[row] > 0; column++) {
                values[column] /= scales[row];
            }
            codes.writeRow(row, values, 0);
        });
        return new RoundedTensor(codes, Optional.of(Tensor.ofFloats(source.name() + "_scale", scales, scales.length)));
    }

    /** Every number to the nearest, scales chosen so that errors in columns of much {@code importance} are small. */
    static RoundedTensor weighted(Tensor source, TensorFormat format, double[] importance) {
        Matrix weight = Matrix.of(source);
        Optional<RowScales> relative = RowScales.of(format, weight);
        Matrix divided = relative.map(scales -> scales.divide(weight)).orElse(weight);
        return Grid.of(format, weight.columns())
                .map(grid -> of(RoundToNearest.quantize(divided, grid, importance), source.name(), format, relative))
                .orElseGet(() -> nearest(source, format));
    }

    /**
     * What {@code matrix}, which is on the grid of {@code format}, holds.
     *
     * @param relative what its rows were divided by
     */
    static RoundedTensor of(QuantizedMatrix matrix, String name, TensorFormat format, Optional<RowScales> relative) {
        return new RoundedTensor(
                matrix.tensor(name, format),
                relative.map(scales -> scales.tensor(name + "_scale"))
                        .or(() -> format.rowScaled()
                                ? Optional.of(matrix.scaleTensor(name + "_scale"))
                                : Optional.empty()));
    }

    /** Decodes row {@code row} into {@code target} from index {@code at}. */
    void readRow(int row, float[] target, int at) {
        weight.readRow(row, target, at);
        if (scale.isPresent()) {
            float[] factor = new float[1];
            scale.get().format().decode(scale.get().data(), 4L * row, factor, 0, 1);
            for (int column = 0; column < weight.columns(); column++) {
                target[at + column] *= factor[0];
            }
        }
        outliers.ifPresent(kept -> kept.overlay(row, target, at));
    }

    /** |W − Q|² / |W|² against {@code original}. */
    double errorAgainst(Tensor original) {
        int columns = original.columns();
        double[][] sums = IntStream.range(0, original.rows())
                .parallel()
                .mapToObj(row -> {
                    float[] exact = new float[columns];
                    float[] rounded = new float[columns];
                    original.readRow(row, exact, 0);
                    readRow(row, rounded, 0);
                    double lost = 0;
                    double whole = 0;
                    for (int column = 0; column < columns; column++) {
                        double difference = exact[column] - rounded[column];
                        lost += difference * difference;
                        whole += (double) exact[column] * exact[column];
                    }
                    return new double[] {lost, whole};
                })
                .toArray(double[][]::new);
        double lost = 0;
        double whole = 0;
        for (double[] sum : sums) {
            lost += sum[0];
            whole += sum[1];
        }
        return whole == 0 ? 0 : lost / whole;
    }
}
