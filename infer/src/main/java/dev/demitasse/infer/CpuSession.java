package dev.demitasse.infer;

import dev.demitasse.model.Block;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.RopeScaling;
import java.util.Arrays;
import java.util.List;

/**
 * A sequence of a {@link CpuModel}. Where rotary frequencies change past some length ({@link RopeScaling.LongRope}), the
 * keys of the tokens before are computed anew from there on, so that a sequence taken in piece by piece gives what it
 * gives at once.
 */
final class CpuSession implements Session {
    private final CpuModel model;
    private final List<LayerCache> caches;
    private final List<RopeScaling> changing;
    private int[] tokens = {};

    CpuSession(CpuModel model, List<LayerCache> caches) {
        this.model = model;
        this.caches = caches;
        this.changing = model.config().blocks().stream()
                .map(Block::positions)
                .filter(Rotary.class::isInstance)
                .map(positions -> ((Rotary) positions).scaling())
                .filter(RopeScaling.LongRope.class::isInstance)
                .distinct()
                .toList();
    }

    @Override
    public int position() {
        return caches.getFirst().position();
    }

    @Override
    public int capacity() {
        return caches.getFirst().capacity();
    }

    @Override
    public float[] forward(int[] next, Logits keep) {
        if (next.length == 0) {
            throw CpuModel.noTokens();
        }
        if (changing.isEmpty()) {
            return model.forward(next, caches, keep);
        }
        int before = position();
        LayerCache.requireRoom(next.length, before, capacity());
        tokens = Arrays.copyOf(tokens, before + next.length);
        System.arraycopy(next, 0, tokens, before, next.length);
        boolean changes = before > 0
                && changing.stream()
                        .anyMatch(scaling -> scaling.lengthClass(before) != scaling.lengthClass(tokens.length));
        if (!changes) {
            return model.forward(next, caches, keep);
        }
        caches.forEach(cache -> cache.truncate(0));
        float[] logits = model.forward(tokens, caches, keep);
        int wanted = keep == Logits.ALL ? next.length * model.config().vocabularySize() : logits.length;
        return Arrays.copyOfRange(logits, logits.length - wanted, logits.length);
    }

    @Override
    public void close() {}
}
