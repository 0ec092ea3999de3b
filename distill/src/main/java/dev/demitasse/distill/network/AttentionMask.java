package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;

/** What is added to attention scores so that a token sees itself and what the window holds before it. */
final class AttentionMask {
    /** Far below any score, yet finite: an infinite one would make a NaN of a row that is masked whole. */
    private static final float HIDDEN = -1e9f;

    private AttentionMask() {}

    /**
     * @param groupSize how many query heads share a key head; their rows follow each other
     * @param window how many keys a query sees at most, itself included
     * @return {@code [groupSize · tokens, tokens]}
     */
    static NDArray create(NDManager manager, int groupSize, int tokens, int window) {
        float[] mask = new float[Math.multiplyExact(Math.multiplyExact(groupSize, tokens), tokens)];
        for (int row = 0; row < groupSize * tokens; row++) {
            int query = row % tokens;
            for (int key = 0; key < tokens; key++) {
                mask[row * tokens + key] = key <= query && query - key < window ? 0 : HIDDEN;
            }
        }
        return manager.create(mask, new Shape((long) groupSize * tokens, tokens));
    }
}
