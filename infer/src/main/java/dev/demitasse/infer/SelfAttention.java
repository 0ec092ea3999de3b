package dev.demitasse.infer;

import dev.demitasse.infer.kernel.AttentionKernel;
import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Attention;

/**
 * Causal scaled dot-product attention (Vaswani et al., arXiv:1706.03762, eq. 1) with grouped queries (Ainslie et al.,
 * arXiv:2305.13245) and an optional sliding window (arXiv:2310.06825 §2.1): a query sees the {@code slidingWindow} keys
 * that end with its own.
 */
final class SelfAttention {
    private static final int TOKENS_A_PART = 16;

    private SelfAttention() {}

    /**
     * Queries of the last {@code tokens} positions of {@code cache}, whose keys and values it holds already.
     *
     * @param queries {@code [tokens, heads · headDimension]}
     * @param output of the same shape
     */
    static void attend(
            Attention attention, float[] queries, int tokens, LayerCache cache, float[] output, Workers workers) {
        int start = cache.position() - tokens;
        int blocks = Math.ceilDiv(tokens, TOKENS_A_PART);
        long operations = 2L * tokens * attention.queryWidth() * Math.min(cache.position(), attention.slidingWindow());
        workers.worth(operations).run(blocks * attention.heads(), part -> {
            // The last blocks see most keys: taken first, they do not keep the others waiting at the end.
            int block = blocks - 1 - part / attention.heads();
            int head = part % attention.heads();
            float[] scores = new float[LayerCache.scoreBuffer(Math.min(cache.position(), attention.slidingWindow()))];
            int last = Math.min(tokens, (block + 1) * TOKENS_A_PART);
            for (int token = block * TOKENS_A_PART; token < last; token++) {
                attendOne(attention, queries, token, start + token, head, cache, scores, output);
            }
        });
    }

    private static void attendOne(
            Attention attention,
            float[] queries,
            int token,
            int position,
            int head,
            LayerCache cache,
            float[] scores,
            float[] output) {
        int dimension = attention.headDimension();
        int at = token * attention.queryWidth() + head * dimension;
        int keyValueAt = head / attention.groupSize() * dimension;
        int count = Math.min(position + 1, attention.slidingWindow());
        int first = position + 1 - count;
        float factor = (float) (1 / Math.sqrt(dimension));
        int stride = cache.stride();
        AttentionKernel.scores(
                queries, at, dimension, factor, cache.keys(), keyValueAt * stride, stride, first, count, scores);
        Elementwise.softmax(scores, count);
        int width = attention.keyValueWidth();
        AttentionKernel.weightedSum(
                scores, count, cache.values(), first * width + keyValueAt, width, dimension, output, at);
    }
}
