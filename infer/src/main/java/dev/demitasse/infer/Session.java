package dev.demitasse.infer;

/** A sequence that a model is in the middle of: its keys and values so far. For one thread at a time. */
public interface Session extends AutoCloseable {
    /** Tokens taken in so far. */
    int position();

    /** Most tokens it can take in. */
    int capacity();

    /**
     * Takes in {@code tokens} after those before.
     *
     * @return logits {@code [tokens, vocabularySize]}, or {@code [1, vocabularySize]} for {@link Logits#LAST}
     */
    float[] forward(int[] tokens, Logits keep);

    /**
     * Forgets all tokens from {@code length} on, which must be few if the model sees but a window of them.
     *
     * @throws UnsupportedOperationException if this session forgets nothing
     */
    void truncate(int length);

    @Override
    void close();
}
