package dev.demitasse.quantize.gptq;

import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** In which order columns are quantized: the earlier, the more columns are left to absorb the error. */
public enum ColumnOrder {
    /** From left to right. */
    NATURAL,
    /** By descending diagonal of H: the "act order" of the published code. Tears groups of neighbours apart. */
    COLUMNS,
    /** Whole blocks by descending mean diagonal, left to right inside: what formats with fixed blocks allow. */
    GROUPS;

    /** The column that comes first, second, … */
    int[] order(SecondMoment moment, int groupSize) {
        double[] diagonal = moment.diagonal();
        return switch (this) {
            case NATURAL -> IntStream.range(0, diagonal.length).toArray();
            case COLUMNS -> descending(diagonal);
            case GROUPS -> {
                int groups = Math.ceilDiv(diagonal.length, groupSize);
                double[] means = new double[groups];
                Arrays.setAll(
                        means,
                        group -> Arrays.stream(
                                        diagonal, group * groupSize, Math.min(diagonal.length, (group + 1) * groupSize))
                                .average()
                                .orElse(0));
                yield Arrays.stream(descending(means))
                        .flatMap(group ->
                                IntStream.range(group * groupSize, Math.min(diagonal.length, (group + 1) * groupSize)))
                        .toArray();
            }
        };
    }

    /** Indices by descending value, equal ones in their natural order. */
    private static int[] descending(double[] values) {
        return IntStream.range(0, values.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> -values[i]))
                .mapToInt(Integer::intValue)
                .toArray();
    }
}
