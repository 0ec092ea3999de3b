package dev.demitasse.infer.attention;

/**
 * Memory for the keys and values of blocks of {@value #POSITIONS} positions. Each head's lie together: keys {@code
 * [dimension, position]}, so that the scores of many positions are computed in the lanes of a vector, values {@code
 * [position, stride]}. A block is allocated when it is first written to, and written in place.
 */
sealed interface KeyValueBlocks permits FloatBlocks, HalfBlocks, ByteBlocks {
    /** Positions of a block. */
    int POSITIONS = 64;

    static KeyValueBlocks of(CacheType type, HeadShape shape, int blocks) {
        return switch (type) {
            case F32 -> new FloatBlocks(shape, blocks);
            case F16 -> new HalfBlocks(shape, blocks);
            case Q8_0 -> new ByteBlocks(shape, blocks);
        };
    }

    /** Makes sure that there is memory for {@code block}. */
    void allocate(int block);

    /**
     * Writes one position of a block.
     *
     * @param keys {@code [heads · dimension]} from {@code at}
     * @param values of the same shape, from {@code at}
     */
    void write(int block, int position, float[] keys, float[] values, int at);

    /**
     * An array that holds the keys {@code [dimension, POSITIONS]} of a head, from {@link #keysAt}.
     *
     * @param room for them, where they are not kept as floats
     */
    float[] keys(int block, int head, float[] room);

    int keysAt(int head);

    /**
     * An array that holds the values {@code [POSITIONS, stride]} of a head, from {@link #valuesAt}; past the dimension they
     * are 0.
     *
     * @param room for them, where they are not kept as floats
     */
    float[] values(int block, int head, float[] room);

    int valuesAt(int head);
}
