package dev.demitasse.infer.rows;

import java.lang.foreign.MemorySegment;

/**
 * Multiplies rows of floats, of one of the formats of {@link FloatFormat}, with a few tokens. Columns past the last whole
 * vector are left to {@link RowProduct}.
 */
interface RowKernel {
    /**
     * Rows are read {@value} at a time, from places far apart, each place a stream of its own to the prefetcher: four
     * adjacent rows together come at a quarter of the speed.
     */
    int STREAMS = 4;

    /** Sums lie so many floats apart. */
    int APART = 4;

    /** Columns in a vector. */
    int lanes();

    /** The most tokens that one call multiplies. */
    int tokens();

    /** Up to how many tokens, some at a time, are multiplied faster than in tiles. */
    int fewTokens();

    /** The power of two that weights are multiplied by on the way: 0 or less. */
    int weightExponent();

    /** Whether infinities and NaNs among the weights come out right. */
    boolean takesAll();

    /**
     * The sums of the products of rows {@code row + stream · (a stream's rows)}: lane by lane {@code sum = fma(weight, input,
     * sum)}, vector after vector, then halves of the lanes added to halves.
     *
     * @param sums of token t and stream s at {@code ((row of its stream · tokens + t) · STREAMS + s) · }{@value #APART}
     */
    void multiply(RowStreams rows, Inputs inputs, float[] sums);

    /**
     * {@link #STREAMS} times as many rows of a matrix.
     *
     * @param data where they are
     * @param offset the byte of the first one
     * @param count rows of each stream
     * @param apart bytes from stream to stream; none if all are the same row
     * @param rowBytes bytes from row to row
     */
    record RowStreams(MemorySegment data, long offset, int count, long apart, long rowBytes) {}

    /**
     * A few tokens, {@code values[at + (vector · tokens + token) · lanes + lane]}.
     *
     * @param vectors of a token
     */
    @SuppressWarnings("ArrayRecordComponent") // handed over, not compared
    record Inputs(float[] values, int at, int tokens, int vectors) {}
}
