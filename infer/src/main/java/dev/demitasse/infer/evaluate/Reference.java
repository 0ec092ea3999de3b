package dev.demitasse.infer.evaluate;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.Scorer;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;

/** What a model is compared with token by token. */
public abstract sealed class Reference permits ModelReference, KeptReference {
    /** A model, run beside the one that is judged; it stays the caller's to close. */
    public static Reference of(Scorer model) {
        return new ModelReference(model);
    }

    abstract int vocabularySize();

    /**
     * @param judged what is to be compared with it
     * @throws InvalidRequestException if it cannot say what it expects of {@code test}
     */
    abstract void check(ModelConfig judged, TokenWindows test, Protocol protocol);

    /**
     * What it expects after the tokens of a window.
     *
     * @param index of the window
     * @param window as the protocol prepared it
     */
    abstract Expectations expect(int index, int[] window);

    /** What is expected after each token of a window. Safe for several threads. */
    interface Expectations {
        /**
         * Compares with a model's logits after token {@code position} of the window.
         *
         * @param right the token that follows
         * @param logits holds the model's row, all of the vocabulary, from {@code at}
         * @param total ln Σ e^logit of the row
         */
        Comparison compare(int position, int right, float[] logits, int at, double total);
    }
}
