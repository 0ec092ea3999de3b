package dev.demitasse.infer.evaluate;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What is kept of a reference's prediction after one token; {@link KeptReference} tells the meaning of it all.
 *
 * @param total ln Σ e^logit over the vocabulary
 * @param logTail ln p_T
 * @param right logit of the right token
 * @param ids of the top tokens, most likely first, then of those drawn
 * @param logits of the same
 * @param top how many of them are top tokens
 */
record KeptRow(double total, double logTail, float right, int[] ids, float[] logits, int top) {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    static KeptRow read(MemorySegment bytes, Keeping keeping) {
        ByteBuffer buffer = bytes.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        double total = buffer.getDouble();
        double logTail = buffer.getDouble();
        float right = buffer.getFloat();
        buffer.getInt();
        int[] ids = new int[keeping.top() + keeping.samples()];
        float[] logits = new float[ids.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = buffer.getInt();
        }
        for (int i = 0; i < logits.length; i++) {
            logits[i] = buffer.getFloat();
        }
        return new KeptRow(total, logTail, right, ids, logits, keeping.top());
    }

    void write(ByteBuffer buffer) {
        buffer.putDouble(total).putDouble(logTail).putFloat(right).putInt(0);
        for (int id : ids) {
            buffer.putInt(id);
        }
        for (float logit : logits) {
            buffer.putFloat(logit);
        }
    }

    boolean within(int vocabulary) {
        for (int id : ids) {
            if (id < 0 || id >= vocabulary) {
                return false;
            }
        }
        return true;
    }

    /** A row with all logits beside a model's. */
    static Comparison compareWhole(MemorySegment row, int right, float[] logits, int at, double total, int vocabulary) {
        float[] kept = new float[vocabulary];
        MemorySegment.copy(row, FLOAT, 0, kept, 0, vocabulary);
        double keptTotal = LogitRows.logSumExp(kept, 0, vocabulary);
        return Comparison.exact(
                LogitRows.divergence(kept, 0, keptTotal, logits, at, total, vocabulary),
                kept[right] - keptTotal,
                LogitRows.mostLikely(kept, 0, vocabulary) == LogitRows.mostLikely(logits, at, vocabulary));
    }

    /**
     * Beside a model's logits.
     *
     * @param judged the model's row lies in it from {@code at}; the same when this returns, but not meanwhile
     * @param judgedTotal ln Σ e^logit of that row
     */
    Comparison compare(float[] judged, int at, double judgedTotal, int vocabulary) {
        double known = 0;
        for (int i = 0; i < top; i++) {
            double logP = logits[i] - total;
            double p = Math.exp(logP);
            known += p == 0 ? 0 : p * (logP - (judged[at + ids[i]] - judgedTotal));
        }
        boolean agrees = ids[0] == LogitRows.mostLikely(judged, at, vocabulary);
        double share = Math.exp(logTail);
        if (share == 0) {
            double divergence = Math.max(0, known);
            return Comparison.exact(divergence, right - total, agrees);
        }
        double judgedTail = judgedTail(judged, at, vocabulary);
        double lowest = Math.max(0, known + share * (logTail - (judgedTail - judgedTotal)));
        double sum = 0;
        double squares = 0;
        int draws = ids.length - top;
        for (int i = top; i < ids.length; i++) {
            double logRatio = judged[at + ids[i]] - judgedTail - (logits[i] - total - logTail);
            double term = Math.expm1(logRatio) - logRatio;
            sum += term;
            squares += term * term;
        }
        double mean = sum / draws;
        double variance = Math.max(0, squares / draws - mean * mean) / (draws - 1);
        return new Comparison(
                lowest + share * mean,
                right - total,
                agrees,
                new Comparison.Tail(share, lowest, share * share * variance));
    }

    /** ln Σ e^logit of the model's tokens that are not among the top ones. */
    private double judgedTail(float[] judged, int at, int vocabulary) {
        float[] hidden = new float[top];
        for (int i = 0; i < top; i++) {
            hidden[i] = judged[at + ids[i]];
            judged[at + ids[i]] = Float.NEGATIVE_INFINITY;
        }
        double tail = LogitRows.logSumExp(judged, at, vocabulary);
        for (int i = 0; i < top; i++) {
            judged[at + ids[i]] = hidden[i];
        }
        return tail;
    }
}
