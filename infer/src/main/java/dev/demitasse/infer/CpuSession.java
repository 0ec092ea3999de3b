package dev.demitasse.infer;

import dev.demitasse.infer.attention.LayerCache;
import dev.demitasse.model.ModelConfig;
import java.util.Arrays;
import java.util.List;

/**
 * A sequence of a {@link CpuModel}. Where keys turn otherwise past some length ({@link ModelConfig#turnsKeysAnew}), those of
 * the tokens before are computed anew from there on, so that a sequence taken in piece by piece gives what it gives at once.
 */
final class CpuSession implements Session {
    private final CpuModel model;
    private final List<LayerCache> caches;
    private int[] tokens = {};

    CpuSession(CpuModel model, List<LayerCache> caches) {
        this.model = model;
        this.caches = caches;
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
        int before = position();
        LayerCache.requireRoom(next.length, before, capacity());
        tokens = Arrays.copyOf(tokens, before + next.length);
        System.arraycopy(next, 0, tokens, before, next.length);
        if (!model.config().turnsKeysAnew(before, tokens.length)) {
            return model.forward(next, caches, keep);
        }
        caches.forEach(cache -> cache.truncate(0));
        float[] logits = model.forward(tokens, caches, keep);
        int wanted = keep == Logits.ALL ? next.length * model.config().vocabularySize() : logits.length;
        return Arrays.copyOfRange(logits, logits.length - wanted, logits.length);
    }

    @Override
    public void truncate(int length) {
        int before = position();
        if (length > 0 && model.config().turnsKeysAnew(length, before)) {
            caches.forEach(cache -> cache.truncate(0));
            model.forward(Arrays.copyOf(tokens, length), caches, Logits.LAST);
        } else {
            caches.forEach(cache -> cache.truncate(length));
        }
    }

    @Override
    public void close() {}
}
