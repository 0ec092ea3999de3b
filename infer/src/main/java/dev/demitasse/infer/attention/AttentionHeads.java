package dev.demitasse.infer.attention;

import static dev.demitasse.infer.attention.KeyValueBlocks.POSITIONS;

import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Positions;

/**
 * Scaled dot-product attention (Vaswani et al., arXiv:1706.03762, eq. 1) with grouped queries (Ainslie et al.,
 * arXiv:2305.13245), an optional sliding window (arXiv:2310.06825 §2.1): a query sees the {@code slidingWindow} keys that
 * end with its own; and an optional cap of the scores (arXiv:2408.00118 §2). Without causality a query sees all keys.
 *
 * <p>Work is split over key/value heads and tiles of queries; where these are few, as when a text is written token by token,
 * over segments of positions too.
 */
public final class AttentionHeads {
    /** Rows of a tile: their queries, scores and results stay in the first cache beside a block of keys. */
    private static final int ROWS = 32;

    /** Blocks of a segment. */
    private static final int SEGMENT = 4;

    /** From so many tiles on there is work for all threads without splitting positions. */
    private static final int MANY_TILES = 32;

    private final ScoreRules rules;
    private final boolean causal;
    private final Workers workers;
    private final TilePool tiles;

    public AttentionHeads(Attention attention, Positions positions, boolean causal, Workers workers, TilePool tiles) {
        PositionBias bias = PositionBias.of(positions, attention);
        if (!causal && (attention.slidingWindow() != Attention.FULL || !(bias instanceof PositionBias.Nothing))) {
            throw new IllegalArgumentException("an encoder with a sliding window or ALiBi");
        }
        this.rules = new ScoreRules(attention, bias);
        this.causal = causal;
        this.workers = workers;
        this.tiles = tiles;
    }

    /**
     * Appends {@code keys} and {@code values} to {@code cache} and gives what the queries of the same positions see.
     *
     * @param queries {@code [tokens, heads · headDimension]}
     * @param keys {@code [tokens, keyValueWidth]}
     * @param values of the same shape
     * @param attended which of the cache's positions with the new ones may be seen; empty if all
     * @return in the shape of the queries
     */
    public float[] attend(
            float[] queries, float[] keys, float[] values, int tokens, LayerCache cache, boolean[] attended) {
        LayerCache.requireRoom(tokens, cache.position(), cache.capacity());
        float[] output = new float[queries.length];
        int width = rules.attention().keyValueWidth();
        int step = cache.atOnce(tokens);
        for (int token = 0; token < tokens; token += step) {
            int count = Math.min(step, tokens - token);
            int start = cache.position();
            cache.append(keys, values, width, token, count, workers);
            int all = causal ? 0 : cache.position();
            Span span = new Span(start, count, rules.attention().slidingWindow(), all, attended);
            new Pass(queries, output, token, cache, span).run();
        }
        return output;
    }

    /** Queries of one span over the cache. */
    private final class Pass {
        private final Attention attention = rules.attention();
        private final float[] queries;
        private final float[] output;
        private final int firstToken;
        private final LayerCache cache;
        private final Span span;
        private final int tokensATile;
        private final int tileCount;

        Pass(float[] queries, float[] output, int firstToken, LayerCache cache, Span span) {
            this.queries = queries;
            this.output = output;
            this.firstToken = firstToken;
            this.cache = cache;
            this.span = span;
            this.tokensATile = Math.clamp(ROWS / attention.groupSize(), 1, span.tokens());
            this.tileCount = Math.ceilDiv(span.tokens(), tokensATile);
        }

        void run() {
            int heads = attention.keyValueHeads();
            int most = Math.min(span.end(), attention.slidingWindow());
            Workers team = workers.worth(2L * span.tokens() * attention.queryWidth() * most);
            int segments = segmentsEnd(span) - firstSegment(span);
            if (heads * tileCount < MANY_TILES && segments > 1) {
                runSegments(heads, segments, team);
                return;
            }
            team.run(heads * tileCount, part -> {
                // The last tiles see most keys: taken first, they do not keep the others waiting at the end.
                int tile = tileCount - 1 - part / heads;
                int head = part % heads;
                AttentionTile work = load(tile, head);
                Span seen = seen(tile);
                int first = firstSegment(seen);
                for (int segment = first; segment < segmentsEnd(seen); segment++) {
                    segment(work, head, segment, seen);
                    work.merge(segment == first);
                }
                store(work, tile, head);
            });
        }

        /** Every segment is a part of its own, then every tile merges those that it has. */
        private void runSegments(int heads, int segments, Workers team) {
            AttentionTile room = tiles.take();
            int rows = tokensATile * attention.groupSize();
            int size = rows * AttentionTile.resultWidth(HeadShape.of(attention).stride());
            float[] results = room.parts(Math.multiplyExact(heads * tileCount * segments, size));
            int firstOfAll = firstSegment(span);
            team.run(heads * tileCount * segments, part -> {
                int head = part / segments % heads;
                int tile = part / segments / heads;
                int segment = firstOfAll + part % segments;
                Span seen = seen(tile);
                if (segment >= firstSegment(seen) && segment < segmentsEnd(seen)) {
                    AttentionTile work = load(tile, head);
                    segment(work, head, segment, seen);
                    work.write(results, part * size);
                    tiles.giveBack(work);
                }
            });
            workers.worth((long) heads * tileCount * segments * size * 8).run(heads * tileCount, part -> {
                int head = part % heads;
                int tile = part / heads;
                AttentionTile work = load(tile, head);
                Span seen = seen(tile);
                int first = firstSegment(seen);
                for (int segment = first; segment < segmentsEnd(seen); segment++) {
                    int at = (part * segments + segment - firstOfAll) * size;
                    if (segment == first) {
                        work.begin(results, at);
                    } else {
                        work.merge(results, at);
                    }
                }
                store(work, tile, head);
            });
            tiles.giveBack(room);
        }

        private int firstSegment(Span seen) {
            return seen.first() / (POSITIONS * SEGMENT);
        }

        private int segmentsEnd(Span seen) {
            return Math.ceilDiv(seen.end(), POSITIONS * SEGMENT);
        }

        private Span seen(int tile) {
            int token = tile * tokensATile;
            return span.part(token, Math.min(tokensATile, span.tokens() - token));
        }

        private AttentionTile load(int tile, int head) {
            AttentionTile work = tiles.take();
            int token = tile * tokensATile;
            int count = Math.min(tokensATile, span.tokens() - token);
            work.load(attention, queries, firstToken + token, count, head);
            return work;
        }

        private void segment(AttentionTile work, int head, int segment, Span seen) {
            int firstBlock = Math.max(segment * SEGMENT, seen.first() / POSITIONS);
            int endBlock = Math.min((segment + 1) * SEGMENT, Math.ceilDiv(seen.end(), POSITIONS));
            work.segment(cache, head, firstBlock, endBlock, rules, seen);
        }

        private void store(AttentionTile work, int tile, int head) {
            work.store(attention, output, firstToken + tile * tokensATile, head);
            tiles.giveBack(work);
        }
    }
}
