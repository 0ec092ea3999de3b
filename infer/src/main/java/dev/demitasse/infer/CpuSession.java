package dev.demitasse.infer;

import dev.demitasse.model.InvalidRequestException;
import java.util.List;

/** A sequence of a {@link CpuModel}. */
final class CpuSession implements Session {
    private final CpuModel model;
    private final List<LayerCache> caches;

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
    public float[] forward(int[] tokens, Logits keep) {
        if (tokens.length == 0) {
            throw new InvalidRequestException("forward pass", "has no tokens", "give at least one");
        }
        return model.forward(tokens, caches, keep);
    }

    @Override
    public void close() {}
}
