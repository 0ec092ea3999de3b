package dev.demitasse.model.reference;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Families;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.SpecialTokens;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.safetensors.CheckpointWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.function.Function;

/** A random Llama of a few thousand parameters whose rows fit blocks of 32. */
public final class TinyModel {
    private TinyModel() {}

    public static ModelConfig config() {
        return ModelConfig.of(Families.named("llama"))
                .vocabularySize(40)
                .hiddenSize(32)
                .layers(2)
                .attention(Attention.of(4, 2, 8))
                .feedForward(FeedForward.gated(64, Activation.SILU))
                .norm(new Norm.Rms(1e-5))
                .maximumPositions(128)
                .specialTokens(new SpecialTokens(OptionalInt.of(1), List.of(2), OptionalInt.empty()))
                .build();
    }

    /** The same numbers for the same key. */
    public static Tensor tensor(ModelConfig config, TensorKey key) {
        Random random = new Random(31L * key.role().ordinal() + 7L * key.part().ordinal() + key.layer());
        long[] shape = config.shape(key);
        float[] values = new float[Math.toIntExact(Tensor.elements(shape))];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensor.ofFloats(config.name(key), values, shape);
    }

    /** Writes a checkpoint folder of floating or block formats. */
    public static void write(Path folder, ModelConfig config, Function<TensorKey, TensorFormat> format)
            throws IOException {
        try (CheckpointWriter writer = CheckpointWriter.create(folder, config, Optional.empty(), format)) {
            for (TensorKey key : config.tensors()) {
                writer.write(key, tensor(config, key));
            }
            writer.commit();
        }
    }
}
