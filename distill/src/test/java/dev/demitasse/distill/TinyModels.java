package dev.demitasse.distill;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.distill.network.SourceWeights;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Families;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.Head;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.safetensors.CheckpointWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/** Models of a few thousand parameters, and a language simple enough for them. */
final class TinyModels {
    static final int VOCABULARY = 32;

    private TinyModels() {}

    static ModelConfig config(int hiddenSize, int layers) {
        return config(hiddenSize, layers, VOCABULARY);
    }

    static ModelConfig config(int hiddenSize, int layers, int vocabularySize) {
        int headDimension = 8;
        int heads = hiddenSize / headDimension;
        return ModelConfig.of(Families.named("llama"))
                .vocabularySize(vocabularySize)
                .hiddenSize(hiddenSize)
                .layers(layers)
                .attention(Attention.of(heads, heads / 2, headDimension))
                .feedForward(FeedForward.gated(2 * hiddenSize, FeedForward.Activation.SILU))
                .norm(new Norm.Rms(1e-5))
                .maximumPositions(64)
                .head(Head.plain(true))
                .build();
    }

    /** Writes a checkpoint of new weights. */
    static Path write(Path folder, ModelConfig config, long seed) throws IOException {
        SourceWeights weights = StartingWeights.random(config, seed);
        try (CheckpointWriter writer =
                CheckpointWriter.create(folder, config, Optional.empty(), key -> ScalarFormat.F32)) {
            for (TensorKey key : config.tensors()) {
                writer.write(key, weights.tensor().apply(key));
            }
            writer.commit();
        }
        return folder;
    }

    /** Text of a language in which three tokens, equally probable, can follow each. */
    static TokenWindows windows(int count, int length, long seed) {
        Random random = new Random(seed);
        List<int[]> windows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] window = new int[length];
            window[0] = random.nextInt(VOCABULARY);
            for (int at = 1; at < length; at++) {
                window[at] = (5 * window[at - 1] + 1 + random.nextInt(3)) % VOCABULARY;
            }
            windows.add(window);
        }
        return TokenWindows.ofTokens("a small language", windows);
    }
}
