package dev.demitasse.infer.evaluate;

import dev.demitasse.infer.kernel.TopK;
import java.util.Arrays;
import java.util.SplittableRandom;

/** Chooses what to keep of a prediction: the top tokens, and draws from the others by their probability. */
final class KeptSampling {
    private KeptSampling() {}

    /**
     * @param right the token that follows
     * @param logits the prediction lies in it from {@code at}
     * @param seed of the draws
     */
    static KeptRow row(float[] logits, int at, int vocabulary, int right, Keeping keeping, long seed) {
        double total = LogitRows.logSumExp(logits, at, vocabulary);
        int[] top = TopK.of(logits, at, vocabulary, keeping.top());
        float[] tail = Arrays.copyOfRange(logits, at, at + vocabulary);
        for (int id : top) {
            tail[id] = Float.NEGATIVE_INFINITY;
        }
        double tailTotal =
                top.length == vocabulary ? Double.NEGATIVE_INFINITY : LogitRows.logSumExp(tail, 0, vocabulary);
        boolean empty = tailTotal == Double.NEGATIVE_INFINITY || Double.isNaN(tailTotal);
        int[] ids = Arrays.copyOf(top, keeping.top() + keeping.samples());
        if (!empty) {
            LogitRows.exponentials(tail, (float) tailTotal);
            draw(tail, ids, keeping.top(), new SplittableRandom(seed));
        }
        float[] kept = new float[ids.length];
        for (int i = 0; i < ids.length; i++) {
            kept[i] = logits[at + ids[i]];
        }
        double logTail = empty ? Double.NEGATIVE_INFINITY : tailTotal - total;
        return new KeptRow(total, logTail, logits[at + right], ids, kept, keeping.top());
    }

    /** Writes into {@code ids} from {@code from} on: one drawn from each equal part of what the weights add up to. */
    private static void draw(float[] weights, int[] ids, int from, SplittableRandom random) {
        double whole = 0;
        for (float weight : weights) {
            whole += weight;
        }
        int draws = ids.length - from;
        int id = -1;
        int last = 0;
        double reached = 0;
        for (int i = 0; i < draws; i++) {
            double point = whole * (i + random.nextDouble()) / draws;
            while (reached <= point && id < weights.length - 1) {
                id++;
                reached += weights[id];
                last = weights[id] > 0 ? id : last;
            }
            ids[from + i] = last;
        }
    }
}
