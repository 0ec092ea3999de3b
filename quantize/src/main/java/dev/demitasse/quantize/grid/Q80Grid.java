package dev.demitasse.quantize.grid;

import dev.demitasse.model.format.Q8_0;

/** GGML's Q8_0: 32 weights as scale · code, codes −127 to 127, the scale a float16. */
public record Q80Grid() implements Grid {
    private static final int STEPS = 11;

    @Override
    public int groupSize(int columns) {
        return Q8_0.BLOCK;
    }

    @Override
    public boolean fixedGroups() {
        return true;
    }

    @Override
    public int smallestCode() {
        return -127;
    }

    @Override
    public int largestCode() {
        return 127;
    }

    /** Tries scales that put the largest weight at 125 … 127.5 in steps of 0.25, each then refitted by least squares. */
    @Override
    public Step fit(double[] values, int at, double[] importance, int importanceAt, int count) {
        ScaleSearch search = new ScaleSearch(values, at, importance, importanceAt, count, -127, 127);
        for (int step = 0; step < STEPS; step++) {
            search.tryExtreme(125 + 0.25 * step);
        }
        return new Step(search.best(), 0);
    }

    @Override
    public float stored(float scale) {
        return Float.float16ToFloat(Float.floatToFloat16(scale));
    }
}
