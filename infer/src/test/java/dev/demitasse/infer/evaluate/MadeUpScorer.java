package dev.demitasse.infer.evaluate;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.Scorer;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Families;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.Head;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Positions;
import dev.demitasse.model.SpecialTokens;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Logits of no model: of each position of a window, normally distributed, the same for the same window and seed.
 *
 * @param base what the logits of two scorers share: scorers of the same {@code base} are near each other
 * @param noise standard deviation of what they do not share
 */
record MadeUpScorer(ModelConfig config, double sharpness, long base, long seed, double noise) implements Scorer {
    static final int BOS = 1;

    static MadeUpScorer of(int vocabulary, double sharpness, long base, long seed, double noise) {
        ModelConfig config = ModelConfig.of(Families.named("llama"))
                .vocabularySize(vocabulary)
                .hiddenSize(8)
                .layers(1)
                .attention(Attention.of(2, 2, 4))
                .feedForward(FeedForward.gated(8, FeedForward.Activation.SILU))
                .norm(new Norm.Rms(1e-5))
                .positions(Positions.Rotary.of(4, 10_000))
                .maximumPositions(128)
                .head(Head.plain(true))
                .specialTokens(
                        new SpecialTokens(java.util.OptionalInt.of(BOS), List.of(), java.util.OptionalInt.empty()))
                .build();
        return new MadeUpScorer(config, sharpness, base, seed, noise);
    }

    @Override
    public float[] logits(int[] window) {
        int vocabulary = config.vocabularySize();
        float[] logits = new float[window.length * vocabulary];
        int history = 0;
        for (int position = 0; position < window.length; position++) {
            history = 31 * history + window[position];
            Random shared = new Random(base + history);
            Random own = new Random(seed + history);
            for (int i = 0; i < vocabulary; i++) {
                logits[position * vocabulary + i] =
                        (float) (sharpness * shared.nextGaussian() + noise * own.nextGaussian());
            }
        }
        return logits;
    }

    @Override
    public void close() {}

    /** Random tokens. */
    static TokenWindows windows(int vocabulary, int count, int length) {
        Random random = new Random(3);
        List<int[]> windows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            windows.add(random.ints(length, 0, vocabulary).toArray());
        }
        return TokenWindows.ofTokens("random", windows);
    }
}
