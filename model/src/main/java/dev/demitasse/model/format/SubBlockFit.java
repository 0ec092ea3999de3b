package dev.demitasse.model.format;

import java.util.function.DoubleUnaryOperator;

/** The scale, and perhaps the offset, that serve a sub-block best where they may be any numbers. */
final class SubBlockFit {
    private static final int CANDIDATES = 21;

    private final int size;
    private final Levels levels;
    private final double[] codes;
    private double[] values = new double[0];
    private int at;
    private double[] importance = new double[0];
    private int importanceAt;
    private double step;
    private double base;
    private double stepWeight;
    private double baseWeight;

    SubBlockFit(int size, Levels levels) {
        this.size = size;
        this.levels = levels;
        this.codes = new double[size];
    }

    /** The elements to fit, {@code size} of them, and what their squared errors weigh. */
    void take(double[] values, int at, double[] importance, int importanceAt) {
        this.values = values;
        this.at = at;
        this.importance = importance;
        this.importanceAt = importanceAt;
    }

    double step() {
        return step;
    }

    double base() {
        return base;
    }

    /** How much Σ u (x − x̂)² grows with the square of a change of the step. */
    double stepWeight() {
        return stepWeight;
    }

    /** How much it grows with the square of a change of the base. */
    double baseWeight() {
        return baseWeight;
    }

    /** The level of greatest magnitude, without its sign. */
    static double reach(Levels levels) {
        return Math.max(-levels.smallest(), levels.largest());
    }

    /** The levels at which a search puts the element of largest magnitude. */
    static double[] extremes(Levels levels) {
        double reach = reach(levels);
        return switch (levels) {
            case Levels.Integers integers -> {
                // A finer grid needs fewer and relatively smaller moves of its outermost element.
                double stride = reach > 100 ? 0.25 : Math.max(0.1, 0.1 * reach / 16);
                int below = reach > 100 ? 8 : 14;
                int above = reach > 100 ? 2 : 10;
                boolean even = -integers.least() == integers.greatest();
                double[] found = new double[(below + above + 1) * (even ? 1 : 2)];
                for (int i = 0; i < found.length; i++) {
                    double extreme = reach + (i % (below + above + 1) - below) * stride;
                    found[i] = i > below + above ? extreme : even ? extreme : -extreme;
                }
                yield found;
            }
            case Levels.Table table -> {
                double[] found = new double[48];
                for (int i = 0; i < 24; i++) {
                    double factor = 1 - (i - 8) * 0.012;
                    found[i] = table.smallest() * factor;
                    found[24 + i] = table.largest() * factor;
                }
                yield found;
            }
        };
    }

    /** Without an offset: Σ u x² less the error is s · (2 Σ u x g − s · Σ u g²) for levels g. */
    void searchScale(double[] extremes, DoubleUnaryOperator stored) {
        double extreme = 0;
        for (int i = 0; i < size; i++) {
            extreme = Math.abs(values[at + i]) > Math.abs(extreme) ? values[at + i] : extreme;
        }
        step = 0;
        base = 0;
        stepWeight = 0;
        double bestGain = 0;
        for (int candidate = 0; candidate < extremes.length && extreme != 0; candidate++) {
            double inverse = extremes[candidate] / extreme;
            double product = 0;
            double square = 0;
            for (int i = 0; i < size; i++) {
                double value = values[at + i];
                double level = levels.of(levels.nearest(value * inverse));
                double weighted = importance[importanceAt + i] * level;
                product += weighted * value;
                square += weighted * level;
            }
            if (square > 0) {
                double scale = stored.applyAsDouble(product / square);
                double gain = scale * (2 * product - scale * square);
                if (gain > bestGain && Double.isFinite(scale)) {
                    bestGain = gain;
                    step = product / square;
                    stepWeight = square;
                }
            }
        }
    }

    /** With an offset, which is never above 0 where {@code negative}; levels are integers from 0. */
    void searchScaleAndMinimum(boolean negative) {
        double smallest = values[at];
        double largest = values[at];
        double weight = 0;
        double sum = 0;
        for (int i = 0; i < size; i++) {
            double value = values[at + i];
            smallest = Math.min(smallest, value);
            largest = Math.max(largest, value);
            weight += importance[importanceAt + i];
            sum += importance[importanceAt + i] * value;
        }
        if (negative) {
            smallest = Math.min(0, smallest);
        }
        double top = levels.largest();
        step = Math.max(0, (largest - smallest) / top);
        base = smallest;
        baseWeight = weight;
        double bestError = error(step, base, Double.POSITIVE_INFINITY);
        stepWeight = weight;
        if (largest <= smallest) {
            return;
        }
        double stride = 0.1 * Math.max(1, top / 15);
        for (int candidate = 0; candidate < CANDIDATES; candidate++) {
            double inverse = (top - 0.9 + candidate * stride) / (largest - smallest);
            for (double shift = 0; shift <= (negative ? 0 : 0.25); shift += 0.25) {
                double codeSum = 0;
                double square = 0;
                double product = 0;
                for (int i = 0; i < size; i++) {
                    double value = values[at + i];
                    double code = Math.max(0, Math.min(top, Math.rint((value - smallest) * inverse + shift)));
                    double weighted = importance[importanceAt + i] * code;
                    codes[i] = code;
                    codeSum += weighted;
                    square += weighted * code;
                    product += weighted * value;
                }
                double determinant = weight * square - codeSum * codeSum;
                if (determinant > 0) {
                    double scale = (weight * product - sum * codeSum) / determinant;
                    double minimum = (square * sum - codeSum * product) / determinant;
                    if (negative && minimum > 0) {
                        minimum = 0;
                        scale = product / square;
                    }
                    double error = codesError(scale, minimum);
                    if (error < bestError && scale > 0) {
                        bestError = error;
                        step = scale;
                        base = minimum;
                        stepWeight = square;
                    }
                }
            }
        }
    }

    /** With one of the levels standing for 0; returns it. */
    int searchScaleAndZero(DoubleUnaryOperator stored) {
        double smallest = 0;
        double largest = 0;
        for (int i = 0; i < size; i++) {
            smallest = Math.min(smallest, values[at + i]);
            largest = Math.max(largest, values[at + i]);
        }
        step = 0;
        base = 0;
        int bestZero = (int) levels.smallest();
        double bestGain = 0;
        double width = (double) levels.largest() - levels.smallest();
        for (int candidate = 0; candidate < CANDIDATES && largest > smallest; candidate++) {
            double share = 1 - 0.02 * candidate;
            double tried = (largest - smallest) * share / width;
            int middle = levels.nearest(levels.smallest() - smallest * share / tried);
            for (int zero = Math.max((int) levels.smallest(), middle - 1);
                    zero <= Math.min((int) levels.largest(), middle + 1);
                    zero++) {
                double product = 0;
                double square = 0;
                for (int i = 0; i < size; i++) {
                    double code = levels.nearest(values[at + i] / tried + zero) - zero;
                    double weighted = importance[importanceAt + i] * code;
                    product += weighted * values[at + i];
                    square += weighted * code;
                }
                double scale = square == 0 ? 0 : stored.applyAsDouble(product / square);
                double gain = scale * (2 * product - scale * square);
                if (gain > bestGain && Double.isFinite(scale)) {
                    bestGain = gain;
                    step = product / square;
                    bestZero = zero;
                }
            }
        }
        return bestZero;
    }

    /** The least-squares step for the codes that {@code step} and {@code base} give. */
    double scaleFor(double step, double base) {
        if (step == 0) {
            return 0;
        }
        double product = 0;
        double square = 0;
        for (int i = 0; i < size; i++) {
            double level = levels.of(levels.nearest((values[at + i] - base) / step));
            product += importance[importanceAt + i] * level * (values[at + i] - base);
            square += importance[importanceAt + i] * level * level;
        }
        return square == 0 ? step : product / square;
    }

    /** Σ u (x − x̂)² with the nearest codes; anything above {@code limit} where it exceeds that. */
    double error(double step, double base, double limit) {
        double inverse = step == 0 ? 0 : 1 / step;
        double error = 0;
        for (int i = 0; i < size && error < limit; i++) {
            double value = values[at + i];
            double left = value - base - step * levels.of(levels.nearest((value - base) * inverse));
            error += importance[importanceAt + i] * left * left;
        }
        return error;
    }

    private double codesError(double step, double base) {
        double error = 0;
        for (int i = 0; i < size; i++) {
            double left = values[at + i] - base - step * codes[i];
            error += importance[importanceAt + i] * left * left;
        }
        return error;
    }
}
