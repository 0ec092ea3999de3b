package dev.demitasse.infer;

import dev.demitasse.model.ModelConfig;

/** A model that continues a sequence token by token. */
public interface LanguageModel extends AutoCloseable {
    ModelConfig config();

    /** An empty sequence of up to {@code capacity} tokens. */
    Session newSession(int capacity);

    /** {@link Session#forward} of one of this model's sessions. */
    default float[] forward(Session session, int[] tokens, Logits keep) {
        return session.forward(tokens, keep);
    }

    /**
     * Up to how many tokens a session may take in at once, and take back, with logits that are to the bit those of the tokens
     * one by one.
     */
    default int alikeTokens() {
        return 1;
    }

    @Override
    void close();
}
