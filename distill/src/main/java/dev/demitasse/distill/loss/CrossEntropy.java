package dev.demitasse.distill.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;

/**
 * −log p(label), mean over the tokens that have a label, in nats.
 *
 * @param index label of each token, {@code [tokens, 1]}; 0 where there is none
 * @param weight 1 / number of labels, or 0 where there is none, {@code [tokens, 1]}
 */
public record CrossEntropy(NDArray index, NDArray weight) {
    /** The label of a token that is not scored. */
    public static final long NO_LABEL = -100;

    /** @param labels one for each token, or {@link #NO_LABEL} */
    public static CrossEntropy of(NDManager manager, long[] labels) {
        long scored = java.util.Arrays.stream(labels)
                .filter(label -> label != NO_LABEL)
                .count();
        long[] index = new long[labels.length];
        float[] weight = new float[labels.length];
        for (int i = 0; i < labels.length; i++) {
            if (labels[i] != NO_LABEL) {
                index[i] = labels[i];
                weight[i] = 1f / scored;
            }
        }
        Shape column = new Shape(labels.length, 1);
        return new CrossEntropy(manager.create(index, column), manager.create(weight, column));
    }

    /** Labels of a causal model: each token's is the next one of its row; the last of a row has none. */
    public static long[] nextTokens(int[][] ids) {
        int length = ids[0].length;
        long[] labels = new long[ids.length * length];
        for (int row = 0; row < ids.length; row++) {
            for (int i = 0; i < length; i++) {
                labels[row * length + i] = i + 1 < length ? ids[row][i + 1] : NO_LABEL;
            }
        }
        return labels;
    }

    /** @param logits {@code [..., V]}, as many rows as labels */
    public NDArray of(NDArray logits) {
        return ofLogProbabilities(LogProbabilities.of(logits));
    }

    /** @param logProbabilities {@code [tokens, V]} */
    public NDArray ofLogProbabilities(NDArray logProbabilities) {
        return logProbabilities.gather(index, 1).mul(weight).sum().neg();
    }
}
