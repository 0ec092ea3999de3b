package dev.demitasse.infer.generate;

import dev.demitasse.infer.LanguageModel;
import dev.demitasse.infer.Logits;
import dev.demitasse.infer.Session;
import dev.demitasse.model.ModelConfig;

/** A model whose next token depends on the last one alone, by a table of probabilities. */
final class MarkovModel implements LanguageModel {
    private final ModelConfig config;
    private final double[][] probabilities;
    int passes;

    MarkovModel(ModelConfig config, double[]... probabilities) {
        this.config = config.withVocabularySize(probabilities.length);
        this.probabilities = probabilities;
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public int alikeTokens() {
        return 4;
    }

    @Override
    public Session newSession(int capacity) {
        return new Session() {
            private int position;

            @Override
            public int position() {
                return position;
            }

            @Override
            public int capacity() {
                return capacity;
            }

            @Override
            public float[] forward(int[] tokens, Logits keep) {
                passes++;
                position += tokens.length;
                if (position > capacity) {
                    throw new IllegalStateException("more tokens than there is room for");
                }
                int rows = keep == Logits.ALL ? tokens.length : 1;
                int size = probabilities.length;
                float[] logits = new float[rows * size];
                for (int row = 0; row < rows; row++) {
                    double[] next = probabilities[tokens[tokens.length - rows + row]];
                    for (int i = 0; i < size; i++) {
                        logits[row * size + i] = (float) Math.log(next[i]);
                    }
                }
                return logits;
            }

            @Override
            public void truncate(int length) {
                if (length > position) {
                    throw new IllegalArgumentException("truncate to %d of %d".formatted(length, position));
                }
                position = length;
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public void close() {}
}
