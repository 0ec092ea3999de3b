package dev.demitasse.model.reference;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Families;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.RopeScaling;
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
import java.util.Set;
import java.util.function.Function;

/** A random Llama of a few thousand parameters whose rows fit blocks of 32. */
public final class TinyModel {
    private TinyModel() {}

    public static ModelConfig config() {
        return new ModelConfig(
                Families.named("llama"),
                40,
                32,
                2,
                new Attention(4, 2, 8, Set.of(), Attention.FULL),
                new FeedForward(64, Activation.SILU, false),
                new Norm.Rms(1e-5),
                new Rotary(8, 10_000, new RopeScaling.None(), Pairing.HALVES),
                128,
                false,
                new SpecialTokens(OptionalInt.of(1), List.of(2), OptionalInt.empty()));
    }

    /** The same numbers for the same key. */
    public static Tensor tensor(ModelConfig config, TensorKey key) {
        Random random = new Random(31L * key.role().ordinal() + 7L * key.part().ordinal() + key.layer());
        long[] shape = config.shape(key);
        float[] values = new float[Math.toIntExact(Tensor.elements(shape))];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensor.ofFloats(config.family().names().huggingFace(key), values, shape);
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
