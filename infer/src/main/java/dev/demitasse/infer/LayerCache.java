package dev.demitasse.infer;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.model.Attention;
import dev.demitasse.model.InvalidRequestException;

/**
 * The keys and values of one layer for the positions so far. Memory grows with the positions, up to the capacity. Keys lie
 * transposed, {@code [keyValueWidth, position]}, so that attention computes the scores of many positions in the lanes of
 * a vector; values lie as {@code [position, keyValueWidth]}.
 */
public final class LayerCache {
    private static final int FIRST = 256;
    /** Positions past the last one that a kernel may read: four of the widest vectors. */
    private static final int SLACK = 64;

    private final int width;
    private final int capacity;
    private int position;
    private int allocated;
    private float[] keys;
    private float[] values;

    private LayerCache(int width, int capacity) {
        this.width = width;
        this.capacity = capacity;
        this.allocated = Math.min(capacity, FIRST);
        this.keys = new float[Math.multiplyExact(width, allocated + SLACK)];
        this.values = new float[Math.multiplyExact(width, allocated)];
    }

    /**
     * @param capacity most positions it can hold
     */
    static LayerCache create(Attention attention, int capacity) {
        if (capacity < 1) {
            throw new IllegalArgumentException("capacity " + capacity);
        }
        return new LayerCache(attention.keyValueWidth(), capacity);
    }

    /** Positions held: where the next token goes. */
    public int position() {
        return position;
    }

    /** Most positions it can hold. */
    public int capacity() {
        return capacity;
    }

    /** Forgets all positions from {@code length} on. */
    public void truncate(int length) {
        if (length < 0 || length > position) {
            throw new IllegalArgumentException("truncate to %d of %d positions".formatted(length, position));
        }
        position = length;
    }

    /** Keys {@code [keyValueWidth, stride]}, position in lanes. */
    float[] keys() {
        return keys;
    }

    /** Floats from one row of {@link #keys} to the next. */
    int stride() {
        return allocated + SLACK;
    }

    /** Values {@code [position, keyValueWidth]}. */
    float[] values() {
        return values;
    }

    /** Takes up {@code tokens} more keys and values, {@code [tokens, keyValueWidth]} each. */
    void append(float[] newKeys, float[] newValues, int tokens) {
        requireRoom(tokens, position, capacity);
        grow(position + tokens);
        int stride = stride();
        for (int token = 0; token < tokens; token++) {
            for (int i = 0; i < width; i++) {
                keys[i * stride + position + token] = newKeys[token * width + i];
            }
        }
        System.arraycopy(newValues, 0, values, position * width, tokens * width);
        position += tokens;
    }

    /** @throws InvalidRequestException if {@code tokens} do not fit after {@code position} others */
    static void requireRoom(int tokens, int position, int capacity) {
        if (tokens > capacity - position) {
            throw new InvalidRequestException(
                    "context",
                    "%,d tokens do not fit after %,d of %,d positions".formatted(tokens, position, capacity),
                    "shorten the text or ask for a larger context");
        }
    }

    private void grow(int needed) {
        if (needed <= allocated) {
            return;
        }
        int larger = (int) Math.min(capacity, Math.max(needed, 2L * allocated));
        float[] moved = new float[Math.multiplyExact(width, larger + SLACK)];
        for (int i = 0; i < width; i++) {
            System.arraycopy(keys, i * stride(), moved, i * (larger + SLACK), position);
        }
        keys = moved;
        values = java.util.Arrays.copyOf(values, Math.multiplyExact(width, larger));
        allocated = larger;
    }

    /** Floats a kernel's score buffer needs for {@code count} positions. */
    static int scoreBuffer(int count) {
        return Elementwise.padded(count) + SLACK;
    }
}
