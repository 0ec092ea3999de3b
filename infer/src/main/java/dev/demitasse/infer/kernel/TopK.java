package dev.demitasse.infer.kernel;

import java.util.Arrays;
import java.util.PriorityQueue;

/** The largest of many values. */
public final class TopK {
    private TopK() {}

    /**
     * Indices, counted from {@code at}, of the {@code wanted} largest of {@code count} values, or of all if they are fewer:
     * the largest first, among equals the smaller index.
     */
    public static int[] of(float[] values, int at, int count, int wanted) {
        long[] keys = wanted < count ? largest(values, at, count, wanted) : all(values, at, count);
        Arrays.sort(keys);
        int[] indices = new int[keys.length];
        for (int i = 0; i < keys.length; i++) {
            indices[i] = ~(int) keys[keys.length - 1 - i];
        }
        return indices;
    }

    private static long[] all(float[] values, int at, int count) {
        long[] keys = new long[count];
        for (int i = 0; i < count; i++) {
            keys[i] = key(values[at + i], i);
        }
        return keys;
    }

    /** Values below the worst of those held are passed over, which are soon nearly all. */
    private static long[] largest(float[] values, int at, int count, int wanted) {
        if (wanted == 0) {
            return new long[0];
        }
        PriorityQueue<Long> held = new PriorityQueue<>(wanted + 1);
        long worst = Long.MIN_VALUE;
        for (int i = 0; i < count; i++) {
            long key = key(values[at + i], i);
            if (key > worst || held.size() < wanted) {
                held.add(key);
                if (held.size() > wanted) {
                    held.remove();
                }
                worst = held.element();
            }
        }
        return held.stream().mapToLong(Long::longValue).toArray();
    }

    /** Ordered as the value is, among equal values against the index. */
    private static long key(float value, int index) {
        int bits = Float.floatToIntBits(value);
        // Negative floats descend by their bits.
        int ordered = bits >= 0 ? bits : ~bits ^ Integer.MIN_VALUE;
        return (long) ordered << Integer.SIZE | Integer.toUnsignedLong(~index);
    }
}
