package dev.demitasse.infer.attention;

import static dev.demitasse.infer.attention.KeyValueBlocks.POSITIONS;

import dev.demitasse.infer.kernel.AttentionKernel;
import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.kernel.HyperbolicTangent;
import dev.demitasse.infer.kernel.Lanes;
import dev.demitasse.model.Attention;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * A few queries on their way over the keys and values of one head: FlashAttention's inner loop (Dao et al.,
 * arXiv:2205.14135, algorithm 1; Dao, arXiv:2307.08691, §3.1) with rows that are tokens times the query heads which share
 * the key/value head. Only a block of scores exists at a time.
 *
 * <p>Deviation: positions are gone over in segments, whose results are then merged in order (as FlashDecoding does), even
 * where one thread goes over all of them. So a row's result depends on neither the number of threads nor the other rows.
 *
 * <p>Used by one thread at a time; sizes follow what it is asked for.
 */
final class AttentionTile {
    private int rows;
    private int stride;
    private int groupSize;
    /** {@code [rows, dimension]}, scaled. */
    private float[] queries = {};
    /** {@code [rows, POSITIONS]}. */
    private float[] scores = {};

    private float[] keyRoom = {};
    private float[] valueRoom = {};

    /** Of the segment: the largest score, partial sums of weights {@code [rows, COUNT]}, weighted values {@code [rows, stride]}. */
    private float[] largest = {};

    private float[] sums = {};
    private float[] gathered = {};

    /** Results of segments, a row each of {@link #resultWidth}; the first {@code rows} are of those merged so far. */
    private float[] merged = {};

    /** Room for the segments' results where several tiles work at them. */
    private float[] parts = {};

    /** Largest score, sum of weights, a vector's worth of them so that what follows is aligned; then weighted values. */
    static int resultWidth(int stride) {
        return Lanes.COUNT + stride;
    }

    /** Room for {@code count} numbers, whose content is left from before. */
    float[] parts(int count) {
        parts = room(parts, count);
        return parts;
    }

    /** Prepares for {@code tokens} rows of {@code from [token, heads · dimension]}, those of the query heads of a group. */
    void load(Attention attention, float[] from, int token, int tokens, int keyValueHead) {
        int dimension = attention.headDimension();
        groupSize = attention.groupSize();
        rows = tokens * groupSize;
        stride = Elementwise.padded(dimension);
        queries = room(queries, rows * dimension);
        scores = room(scores, rows * POSITIONS);
        keyRoom = room(keyRoom, dimension * POSITIONS);
        valueRoom = room(valueRoom, stride * POSITIONS);
        largest = room(largest, rows);
        sums = room(sums, rows * Lanes.COUNT);
        gathered = room(gathered, rows * stride);
        merged = room(merged, rows * resultWidth(stride));
        int width = groupSize * dimension;
        for (int t = 0; t < tokens; t++) {
            int at = (token + t) * attention.queryWidth() + keyValueHead * width;
            System.arraycopy(from, at, queries, t * width, width);
        }
        Elementwise.scale(queries, 0, rows * dimension, (float) attention.scale());
    }

    private static float[] room(float[] array, int count) {
        return array.length < count ? new float[count] : array;
    }

    int rows() {
        return rows;
    }

    /** Begins a segment. */
    private void begin() {
        Arrays.fill(largest, 0, rows, AttentionKernel.NO_SCORE);
        Arrays.fill(sums, 0, rows * Lanes.COUNT, 0);
        Arrays.fill(gathered, 0, rows * stride, 0);
    }

    /**
     * Goes over the blocks from {@code firstBlock} before {@code endBlock}.
     *
     * @param span which positions a token of the tile may see
     */
    void segment(LayerCache cache, int keyValueHead, int firstBlock, int endBlock, ScoreRules rules, Span span) {
        begin();
        KeyValueBlocks memory = cache.memory();
        int dimension = rules.attention().headDimension();
        for (int block = firstBlock; block < endBlock; block++) {
            int place = cache.place(block);
            int start = block * POSITIONS;
            int count = Math.min(POSITIONS, span.end() - start);
            Arrays.fill(scores, 0, rows * POSITIONS, 0);
            AttentionKernel.multiply(
                    queries,
                    dimension,
                    rows,
                    memory.keys(place, keyValueHead, keyRoom),
                    memory.keysAt(keyValueHead),
                    POSITIONS,
                    dimension,
                    POSITIONS,
                    scores,
                    POSITIONS);
            for (int row = 0; row < rows; row++) {
                weigh(row, start, keyValueHead * groupSize + row % groupSize, rules, span, row / groupSize);
            }
            AttentionKernel.multiply(
                    scores,
                    POSITIONS,
                    rows,
                    memory.values(place, keyValueHead, valueRoom),
                    memory.valuesAt(keyValueHead),
                    stride,
                    count,
                    stride,
                    gathered,
                    stride);
        }
    }

    /** The scores of one row become weights. */
    private void weigh(int row, int start, int head, ScoreRules rules, Span span, int token) {
        int at = row * POSITIONS;
        int first = Math.clamp(span.first(token) - start, 0, POSITIONS);
        int end = Math.clamp(span.end(token) - start, first, POSITIONS);
        if (first == end) {
            Arrays.fill(scores, at, at + POSITIONS, 0);
            return;
        }
        Attention attention = rules.attention();
        if (attention.softCap().isPresent()) {
            float cap = (float) attention.softCap().getAsDouble();
            HyperbolicTangent.softCap(scores, at, POSITIONS, cap);
        }
        rules.bias().add(scores, at, POSITIONS, head, start, span.position(token));
        if (end - first < POSITIONS) {
            Arrays.fill(scores, at, at + first, Float.NEGATIVE_INFINITY);
            Arrays.fill(scores, at + end, at + POSITIONS, Float.NEGATIVE_INFINITY);
        }
        boolean[] attended = span.attended();
        for (int i = first; i < end && attended.length > 0; i++) {
            scores[at + i] = attended[start + i] ? scores[at + i] : Float.NEGATIVE_INFINITY;
        }
        largest[row] = AttentionKernel.weigh(
                scores, at, POSITIONS, largest[row], sums, row * Lanes.COUNT, gathered, row * stride, stride);
    }

    /** Writes the segment's results, a row each, to {@code target}. */
    void write(float[] target, int at) {
        int width = resultWidth(stride);
        for (int row = 0; row < rows; row++) {
            int to = at + row * width;
            target[to] = largest[row];
            target[to + 1] = Lanes.sum(FloatVector.fromArray(Lanes.FLOAT, sums, row * Lanes.COUNT));
            System.arraycopy(gathered, row * stride, target, to + Lanes.COUNT, stride);
        }
    }

    /** Takes the segment's results for those of all so far, if it is the {@code first}, or merges them with these. */
    void merge(boolean first) {
        if (first) {
            write(merged, 0);
        } else {
            float[] results = parts(rows * resultWidth(stride));
            write(results, 0);
            merge(results, 0);
        }
    }

    /** Takes results for those of all so far. */
    void begin(float[] results, int at) {
        System.arraycopy(results, at, merged, 0, rows * resultWidth(stride));
    }

    /** Merges the results of one more segment with those so far. */
    void merge(float[] results, int at) {
        int width = resultWidth(stride);
        for (int row = 0; row < rows; row++) {
            int from = at + row * width;
            int to = row * width;
            float now = Math.max(merged[to], results[from]);
            float ours = (float) Math.exp(merged[to] - now);
            float theirs = (float) Math.exp(results[from] - now);
            merged[to] = now;
            merged[to + 1] = Math.fma(results[from + 1], theirs, merged[to + 1] * ours);
            AttentionKernel.blend(merged, to + Lanes.COUNT, ours, results, from + Lanes.COUNT, theirs, stride);
        }
    }

    /** Writes the weighted means of values to where the queries came from. */
    void store(Attention attention, float[] target, int token, int keyValueHead) {
        int dimension = attention.headDimension();
        int width = resultWidth(stride);
        for (int row = 0; row < rows; row++) {
            int from = row * width + Lanes.COUNT;
            int head = keyValueHead * groupSize + row % groupSize;
            int to = (token + row / groupSize) * attention.queryWidth() + head * dimension;
            System.arraycopy(merged, from, target, to, dimension);
            Elementwise.scale(target, to, dimension, 1 / merged[row * width + 1]);
        }
    }
}
