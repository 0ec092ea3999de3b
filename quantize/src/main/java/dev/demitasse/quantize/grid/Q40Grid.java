package dev.demitasse.quantize.grid;

import dev.demitasse.model.format.Q4_0;

/**
 * GGML's Q4_0: 32 weights as scale · (code − 8), codes 0 to 15, the scale a float16. As −8 is reached on one side only,
 * the scale's sign matters.
 */
public record Q40Grid() implements Grid {
    private static final int STEPS = 25;

    @Override
    public int groupSize(int columns) {
        return Q4_0.BLOCK;
    }

    @Override
    public boolean fixedGroups() {
        return true;
    }

    @Override
    public int smallestCode() {
        return 0;
    }

    @Override
    public int largestCode() {
        return 15;
    }

    /** Tries scales that put the largest weight at ±6.6 … ±9.0 in steps of 0.1, each then refitted by least squares. */
    @Override
    public Step fit(double[] values, int at, double[] importance, int importanceAt, int count) {
        ScaleSearch search = new ScaleSearch(values, at, importance, importanceAt, count, -8, 7);
        for (int step = 0; step < STEPS; step++) {
            double extreme = 6.6 + 0.1 * step;
            search.tryExtreme(-extreme);
            search.tryExtreme(extreme);
        }
        return new Step(search.best(), 8);
    }

    @Override
    public float stored(float scale) {
        return Float.float16ToFloat(Float.floatToFloat16(scale));
    }
}
