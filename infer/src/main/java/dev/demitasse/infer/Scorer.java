package dev.demitasse.infer;

import dev.demitasse.model.ModelConfig;

/** A model that says what it expects after every token of a text. */
public interface Scorer extends AutoCloseable {
    ModelConfig config();

    /** Logits {@code [window, vocabularySize]}, row-major: row t is what is expected after token t. */
    float[] logits(int[] window);

    @Override
    void close();
}
