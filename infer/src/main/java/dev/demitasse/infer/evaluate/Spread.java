package dev.demitasse.infer.evaluate;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * How a figure is spread over the tokens: what given percentages of them do not exceed, from 0 (the smallest) over 50 (the
 * median) to 100 (the largest). Between two tokens the value is taken from the straight line between them: of n values in
 * order, counted from 0, percentile q stands at q · (n − 1) / 100, as llama-perplexity has it.
 *
 * @param percentiles value by percentage, those of {@link #PERCENTAGES}
 */
public record Spread(NavigableMap<Double, Double> percentiles) {
    /** The percentages kept. */
    public static final List<Double> PERCENTAGES =
            List.of(0.0, 0.1, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0);

    public Spread {
        percentiles = Collections.unmodifiableNavigableMap(new TreeMap<>(percentiles));
    }

    /** Of one value or more; {@code values} is put in order. */
    public static Spread of(double[] values) {
        Arrays.parallelSort(values);
        NavigableMap<Double, Double> percentiles = new TreeMap<>();
        for (double percentage : PERCENTAGES) {
            double place = percentage / 100 * (values.length - 1);
            int below = (int) place;
            double above = values[Math.min(below + 1, values.length - 1)];
            double part = place - below;
            percentiles.put(percentage, part == 0 ? values[below] : (1 - part) * values[below] + part * above);
        }
        return new Spread(percentiles);
    }

    /** What {@code percentage} of the tokens, one of {@link #PERCENTAGES}, do not exceed. */
    public double at(double percentage) {
        Double value = percentiles.get(percentage);
        if (value == null) {
            throw new IllegalArgumentException("percentile " + percentage);
        }
        return value;
    }

    public double smallest() {
        return at(0);
    }

    public double median() {
        return at(50);
    }

    public double largest() {
        return at(100);
    }
}
