package dev.demitasse.quantize.grid;

/** Integers of 8 bits with one scale for a row, max|w| / 127: what the INT8 matrix products of ONNX take. */
public record Int8Grid() implements Grid {
    @Override
    public int groupSize(int columns) {
        return columns;
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

    @Override
    public Step fit(double[] values, int at, double[] importance, int importanceAt, int count) {
        double largest = 0;
        for (int i = 0; i < count; i++) {
            largest = Math.max(largest, Math.abs(values[at + i]));
        }
        return new Step((float) (largest / 127), 0);
    }

    @Override
    public float stored(float scale) {
        return scale;
    }
}
