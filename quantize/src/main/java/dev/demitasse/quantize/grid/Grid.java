package dev.demitasse.quantize.grid;

/**
 * The numbers that a group of neighbouring weights of a row can take: scale · (code − zero), with the scale, and perhaps
 * the zero, chosen for the group. A scale is always the number that will be stored, so that what an algorithm made up for
 * is the error that ships.
 */
public sealed interface Grid permits Q40Grid, Q80Grid, Int8Grid, GroupGrid {
    /**
     * What a group shares.
     *
     * @param scale exactly as stored; 0 for a group of zeros
     * @param zero the code that stands for 0
     */
    record Step(float scale, int zero) {}

    /** How many neighbouring columns share a step, in a matrix of {@code columns}. */
    int groupSize(int columns);

    /** Whether the groups' places are fixed by a file format, so that a group consists of neighbours. */
    boolean fixedGroups();

    int smallestCode();

    int largestCode();

    /**
     * Chooses the step for a group.
     *
     * @param values the weights, {@code count} of them from index {@code at}
     * @param importance how much the square of each one's error costs, {@code count} of them from {@code importanceAt}
     */
    Step fit(double[] values, int at, double[] importance, int importanceAt, int count);

    /** The number nearest to {@code scale} that can be stored. */
    float stored(float scale);

    /** The code nearest to {@code value}, ties to even. */
    default int code(double value, float scale, int zero) {
        if (scale == 0) {
            return zero;
        }
        double code = Math.rint(value / scale) + zero;
        return (int) Math.max(smallestCode(), Math.min(largestCode(), code));
    }
}
