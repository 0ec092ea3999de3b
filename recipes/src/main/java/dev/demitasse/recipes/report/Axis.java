package dev.demitasse.recipes.report;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.DoubleStream;

/**
 * Where values stand along one side of a drawing.
 *
 * @param low value at the start
 * @param high value at the end, above {@code low}
 * @param logarithmic whether equal ratios, not equal differences, take equal room
 * @param ticks values to label, ascending, within the ends
 */
record Axis(double low, double high, boolean logarithmic, List<Double> ticks) {
    private static final int WISHED_TICKS = 6;

    Axis {
        ticks = List.copyOf(ticks);
    }

    /** From at most the smallest to at least the largest of {@code values}, ends on ticks. */
    static Axis linear(double[] values) {
        double smallest = DoubleStream.of(values).min().orElse(0);
        double largest = DoubleStream.of(values).max().orElse(1);
        if (largest <= smallest) {
            double margin = smallest == 0 ? 1 : Math.abs(smallest) / 2;
            smallest -= smallest == 0 ? 0 : margin;
            largest += margin;
        }
        double step = niceStep((largest - smallest) / WISHED_TICKS);
        long first = (long) Math.floor(smallest / step + 1e-9);
        long last = (long) Math.ceil(largest / step - 1e-9);
        List<Double> ticks = new ArrayList<>();
        for (long tick = first; tick <= last; tick++) {
            ticks.add(tick * step);
        }
        return new Axis(first * step, last * step, false, ticks);
    }

    /** From the smallest to the largest of {@code values} and no further. */
    static Axis exact(double[] values) {
        Axis round = linear(values);
        double low = DoubleStream.of(values).min().orElse(round.low);
        double high = DoubleStream.of(values).max().orElse(round.high);
        if (high <= low) {
            return round;
        }
        return new Axis(
                low,
                high,
                false,
                round.ticks.stream().filter(tick -> tick >= low && tick <= high).toList());
    }

    /** Logarithmic, with ends a little beyond the {@code values}, which must be above 0. */
    static Axis logarithmic(double[] values) {
        double low = DoubleStream.of(values).min().orElse(1) / 1.15;
        double high = DoubleStream.of(values).max().orElse(10) * 1.15;
        if (high < 10 * low) {
            List<Double> round = linear(new double[] {low, high}).ticks;
            return new Axis(
                    low,
                    high,
                    true,
                    round.stream().filter(tick -> tick >= low && tick <= high).toList());
        }
        List<Double> ticks = new ArrayList<>();
        double[] steps = high < 30 * low ? new double[] {1, 2, 3, 5, 7} : new double[] {1};
        for (double decade = Math.pow(10, Math.floor(Math.log10(low))); decade <= high; decade *= 10) {
            for (double step : steps) {
                double tick = step * decade;
                if (tick >= low && tick <= high) {
                    ticks.add(tick);
                }
            }
        }
        return new Axis(low, high, true, ticks);
    }

    /** Linear, or logarithmic where the largest value is more than {@code ratio} times the smallest and all are above 0. */
    static Axis fitting(double[] values, double ratio) {
        double smallest = DoubleStream.of(values).min().orElse(0);
        double largest = DoubleStream.of(values).max().orElse(0);
        return smallest > 0 && largest > ratio * smallest ? logarithmic(values) : linear(values);
    }

    /** Where {@code value} stands: 0 at {@code low}, 1 at {@code high}. */
    double position(double value) {
        return logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    }

    /** 1, 2 or 5 times a power of ten, nearest above {@code step}. */
    private static double niceStep(double step) {
        double decade = Math.pow(10, Math.floor(Math.log10(step)));
        for (double factor : new double[] {1, 2, 5}) {
            if (factor * decade >= step * (1 - 1e-9)) {
                return factor * decade;
            }
        }
        return 10 * decade;
    }
}
