package dev.demitasse.infer;

import dev.demitasse.infer.kernel.AttentionKernel;
import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.kernel.HyperbolicTangent;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Attention;

/**
 * Scaled dot-product attention (Vaswani et al., arXiv:1706.03762, eq. 1) with grouped queries (Ainslie et al.,
 * arXiv:2305.13245), an optional sliding window (arXiv:2310.06825 §2.1): a query sees the {@code slidingWindow} keys that
 * end with its own; and an optional cap of the scores (arXiv:2408.00118 §2). Without causality a query sees all keys.
 */
final class AttentionHeads {
    private static final int TOKENS_A_PART = 16;

    private final Attention attention;
    private final PositionBias bias;
    private final boolean causal;
    private final Workers workers;

    AttentionHeads(Attention attention, PositionBias bias, boolean causal, Workers workers) {
        if (!causal && (attention.slidingWindow() != Attention.FULL || !(bias instanceof PositionBias.Nothing))) {
            throw new IllegalArgumentException("an encoder with a sliding window or ALiBi");
        }
        this.attention = attention;
        this.bias = bias;
        this.causal = causal;
        this.workers = workers;
    }

    /**
     * Queries of the last {@code tokens} positions of {@code cache}, whose keys and values it holds already.
     *
     * @param queries {@code [tokens, heads · headDimension]}
     * @param attended which positions may be seen; empty if all
     * @return of the same shape
     */
    float[] attend(float[] queries, int tokens, LayerCache cache, boolean[] attended) {
        float[] output = new float[queries.length];
        int start = cache.position() - tokens;
        int blocks = Math.ceilDiv(tokens, TOKENS_A_PART);
        int most = Math.min(cache.position(), attention.slidingWindow());
        workers.worth(2L * tokens * attention.queryWidth() * most).run(blocks * attention.heads(), part -> {
            // The last blocks see most keys: taken first, they do not keep the others waiting at the end.
            int block = blocks - 1 - part / attention.heads();
            int head = part % attention.heads();
            float[] scores = new float[LayerCache.scoreBuffer(most)];
            int last = Math.min(tokens, (block + 1) * TOKENS_A_PART);
            for (int token = block * TOKENS_A_PART; token < last; token++) {
                attendOne(queries, token, start + token, head, cache, attended, scores, output);
            }
        });
        return output;
    }

    private void attendOne(
            float[] queries,
            int token,
            int position,
            int head,
            LayerCache cache,
            boolean[] attended,
            float[] scores,
            float[] output) {
        int dimension = attention.headDimension();
        int at = token * attention.queryWidth() + head * dimension;
        int keyValueAt = head / attention.groupSize() * dimension;
        int end = causal ? position + 1 : cache.position();
        int count = Math.min(end, attention.slidingWindow());
        int first = end - count;
        float factor = (float) attention.scale();
        int stride = cache.stride();
        AttentionKernel.scores(
                queries, at, dimension, factor, cache.keys(), keyValueAt * stride, stride, first, count, scores);
        if (attention.softCap().isPresent()) {
            HyperbolicTangent.softCap(
                    scores, 0, count, (float) attention.softCap().getAsDouble());
        }
        bias.add(scores, head, first, position);
        for (int i = 0; i < count && attended.length > 0; i++) {
            scores[i] = attended[first + i] ? scores[i] : Float.NEGATIVE_INFINITY;
        }
        Elementwise.softmax(scores, count);
        int width = attention.keyValueWidth();
        AttentionKernel.weightedSum(
                scores, count, cache.values(), first * width + keyValueAt, width, dimension, output, at);
    }
}
