package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Alibi;
import java.util.Optional;

/**
 * What is added to attention's scores: far below zero where a query must not see a key, and ALiBi's penalty of distance.
 * Layers with equal keys share it.
 *
 * @param heads number of query heads
 * @param groups number of key/value heads; query heads of one group stand as further rows of one matrix
 * @param window how many keys a query sees at most, itself included; to both sides where all tokens see each other
 * @param causal whether a query sees no key after it
 * @param alibi the penalty, if there is one
 * @param penaltyScale multiplies the penalty
 */
record AttentionBias(int heads, int groups, int window, boolean causal, Optional<Alibi> alibi, double penaltyScale) {
    /** Far below any score, yet finite: an infinite one would make a NaN of a row that is masked whole. */
    static final float HIDDEN = -1e9f;

    /** What a layer adds in sequences of {@code tokens}. */
    static AttentionBias of(Attention attention, Positions positions, boolean causal, int tokens) {
        int window = Math.min(attention.slidingWindow(), tokens);
        Optional<Alibi> alibi = positions instanceof Alibi each ? Optional.of(each) : Optional.empty();
        double scale = alibi.isPresent() && alibi.get().scaled() ? attention.scale() : 1;
        return new AttentionBias(attention.heads(), attention.keyValueHeads(), window, causal, alibi, scale);
    }

    /**
     * @return {@code [groups, heads/groups · tokens, tokens]}, the first 1 where all heads have the same; nothing where
     *     every number would be 0
     */
    Optional<NDArray> create(NDManager manager, int tokens) {
        if (!causal && window >= tokens && alibi.isEmpty()) {
            return Optional.empty();
        }
        int groupSize = heads / groups;
        int different = alibi.isPresent() ? groups : 1;
        double[] slopes = alibi.map(each -> each.slopes(heads)).orElseGet(() -> new double[heads]);
        int rows = Math.multiplyExact(different * groupSize, tokens);
        float[] bias = new float[Math.multiplyExact(rows, tokens)];
        for (int row = 0; row < rows; row++) {
            int query = row % tokens;
            double slope = slopes[row / tokens];
            for (int key = 0; key < tokens; key++) {
                double penalty = alibi.isPresent() ? penaltyScale * alibi.get().bias(slope, query, key) : 0;
                bias[row * tokens + key] = sees(query, key) ? (float) penalty : HIDDEN;
            }
        }
        return Optional.of(manager.create(bias, new Shape(different, (long) groupSize * tokens, tokens)));
    }

    private boolean sees(int query, int key) {
        return (!causal || key <= query) && Math.abs(query - key) < window;
    }
}
