package dev.demitasse.infer.calibrate;

import java.util.Arrays;

/**
 * Counts of values by size, in bins of equal width from −limit to limit. The limit is a power of two that grows with the
 * values, whereupon two bins become one: a single pass sees all, and their order does not matter to the counts.
 */
final class Histogram {
    /** Bins to either side of 0. */
    static final int SIDE = 4096;

    private static final float SMALLEST_LIMIT = 0x1p-40f;

    private final long[] counts = new long[2 * SIDE];
    private float limit = SMALLEST_LIMIT;
    private float least = Float.POSITIVE_INFINITY;
    private float greatest = Float.NEGATIVE_INFINITY;
    private long total;

    /** Counts the first {@code count} of {@code values}, which are finite. */
    void add(float[] values, int count) {
        float smallest = least;
        float largest = greatest;
        for (int i = 0; i < count; i++) {
            smallest = Math.min(smallest, values[i]);
            largest = Math.max(largest, values[i]);
        }
        least = smallest;
        greatest = largest;
        while (limit < Math.max(Math.abs(least), Math.abs(greatest))) {
            widen();
        }
        double perUnit = SIDE / (double) limit;
        for (int i = 0; i < count; i++) {
            int bin = (int) Math.floor(values[i] * perUnit) + SIDE;
            counts[Math.clamp(bin, 0, counts.length - 1)]++;
        }
        total += count;
    }

    private void widen() {
        limit *= 2;
        long[] merged = new long[counts.length];
        for (int bin = 0; bin < counts.length; bin++) {
            merged[SIDE + Math.floorDiv(bin - SIDE, 2)] += counts[bin];
        }
        System.arraycopy(merged, 0, counts, 0, counts.length);
    }

    float least() {
        return least;
    }

    float greatest() {
        return greatest;
    }

    /** The largest magnitude that bins hold. */
    float limit() {
        return limit;
    }

    /** Counts of magnitudes, {@code [SIDE]}, of both signs together. */
    long[] magnitudes() {
        long[] both = new long[SIDE];
        Arrays.setAll(both, i -> counts[SIDE + i] + counts[SIDE - 1 - i]);
        return both;
    }

    /** What {@code share} of the values do not exceed, to the width of a bin and within all values. */
    float quantile(double share) {
        double wanted = share * total;
        double reached = 0;
        for (int bin = 0; bin < counts.length; bin++) {
            if (reached + counts[bin] >= wanted && counts[bin] > 0) {
                double place = bin + (wanted - reached) / counts[bin] - SIDE;
                return Math.clamp((float) (place * limit / SIDE), least, greatest);
            }
            reached += counts[bin];
        }
        return greatest;
    }
}
