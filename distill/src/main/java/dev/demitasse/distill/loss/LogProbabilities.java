package dev.demitasse.distill.loss;

import ai.djl.ndarray.NDArray;

/** log softmax over the vocabulary. */
public final class LogProbabilities {
    private LogProbabilities() {}

    /** @return {@code [tokens, V]} of logits {@code [..., V]} */
    public static NDArray of(NDArray logits) {
        long vocabulary = logits.getShape().get(logits.getShape().dimension() - 1);
        return logits.reshape(-1, vocabulary).logSoftmax(-1);
    }
}
