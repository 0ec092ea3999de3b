package dev.demitasse.infer.attention;

import static dev.demitasse.infer.attention.KeyValueBlocks.POSITIONS;

import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Attention;
import dev.demitasse.model.InvalidRequestException;

/**
 * The keys and values of one layer for the positions so far. Memory is taken a block of positions at a time, up to the
 * capacity; what is there is never moved. Of a layer with a sliding window only the blocks that a query may still see are
 * kept, and {@value #TOKENS_AT_ONCE} positions more; the memory of those before is written anew.
 */
public final class LayerCache {
    /** Most tokens that a layer with a sliding window takes up before their queries have seen what they may. */
    static final int TOKENS_AT_ONCE = 256;

    private final int window;
    private final int capacity;
    private final int blocks;
    private final KeyValueBlocks memory;
    private int position;
    /** After the last position ever written to. */
    private int written;

    private LayerCache(Attention attention, int capacity, CacheType type) {
        this.window = attention.slidingWindow();
        this.capacity = capacity;
        int all = Math.ceilDiv(capacity, POSITIONS);
        long kept = Math.ceilDiv((long) window + TOKENS_AT_ONCE, POSITIONS) + 1L;
        this.blocks = (int) Math.min(all, kept);
        this.memory = KeyValueBlocks.of(type, HeadShape.of(attention), blocks);
    }

    /**
     * @param capacity most positions it can hold
     */
    public static LayerCache create(Attention attention, int capacity, CacheType type) {
        if (capacity < 1) {
            throw new IllegalArgumentException("capacity " + capacity);
        }
        return new LayerCache(attention, capacity, type);
    }

    /** Positions held: where the next token goes. */
    public int position() {
        return position;
    }

    /** Most positions it can hold. */
    public int capacity() {
        return capacity;
    }

    /**
     * Forgets all positions from {@code length} on.
     *
     * @throws IllegalArgumentException if there are not as many, or some that the next query may see are gone already
     */
    public void truncate(int length) {
        long seen = Math.max(0, (long) length + 1 - window);
        boolean gone = length > 0 && seen / POSITIONS + blocks <= (written - 1) / POSITIONS;
        if (length < 0 || length > position || gone) {
            throw new IllegalArgumentException("truncate to %d of %d positions".formatted(length, position));
        }
        position = length;
        written = length == 0 ? 0 : written;
    }

    KeyValueBlocks memory() {
        return memory;
    }

    /** Which block of the memory holds the positions from {@code block · POSITIONS}. */
    int place(int block) {
        return block % blocks;
    }

    /**
     * Takes up {@code tokens} more keys and values, at most {@value #TOKENS_AT_ONCE} if older ones are overwritten for them.
     *
     * @param keys {@code [tokens, keyValueWidth]} from row {@code from} on
     * @param values of the same shape
     */
    void append(float[] keys, float[] values, int width, int from, int tokens, Workers workers) {
        requireRoom(tokens, position, capacity);
        int start = position;
        int end = start + tokens;
        int firstBlock = start / POSITIONS;
        int count = Math.ceilDiv(end, POSITIONS) - firstBlock;
        workers.worth(16L * tokens * width).run(count, part -> {
            int block = firstBlock + part;
            int place = place(block);
            memory.allocate(place);
            int last = Math.min(end, (block + 1) * POSITIONS);
            for (int next = Math.max(start, block * POSITIONS); next < last; next++) {
                memory.write(place, next % POSITIONS, keys, values, (from + next - start) * width);
            }
        });
        position = end;
        written = Math.max(written, end);
    }

    /** How many of {@code tokens} may be appended before their queries must have seen what they may. */
    int atOnce(int tokens) {
        return blocks < Math.ceilDiv(capacity, POSITIONS) ? Math.min(tokens, TOKENS_AT_ONCE) : tokens;
    }

    /** @throws InvalidRequestException if {@code tokens} do not fit after {@code position} others */
    public static void requireRoom(int tokens, int position, int capacity) {
        if (tokens > capacity - position) {
            throw new InvalidRequestException(
                    "context",
                    "%,d tokens do not fit after %,d of %,d positions".formatted(tokens, position, capacity),
                    "shorten the text or ask for a larger context");
        }
    }
}
