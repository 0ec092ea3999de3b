package dev.demitasse.prune;

import dev.demitasse.model.ConfigJson;
import dev.demitasse.model.Families;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.safetensors.CheckpointWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Random;

/** A small Llama with random weights, some of which a test sets to zero. */
final class RandomModel {
    final ModelConfig config;
    private final Map<TensorKey, float[]> weights = new LinkedHashMap<>();

    private RandomModel(ModelConfig config) {
        this.config = config;
    }

    /** 4 layers, hidden 64, 96 neurons, 8 heads of 12 in 4 groups: no two sizes that a mistake could swap unseen. */
    static RandomModel create(boolean biases, boolean tied, long seed) {
        String json = """
                {"architectures": ["LlamaForCausalLM"], "vocab_size": 50, "hidden_size": 64, "intermediate_size": 96,
                 "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 12,
                 "rms_norm_eps": 1e-9, "attention_bias": %s, "mlp_bias": %s, "tie_word_embeddings": %s,
                 "max_position_embeddings": 128, "bos_token_id": 1, "eos_token_id": 2}
                """.formatted(biases, biases, tied);
        RandomModel model = new RandomModel(Families.read(ConfigJson.parse(Path.of("config.json"), json)));
        Random random = new Random(seed);
        for (TensorKey key : model.config.tensors()) {
            float[] values = new float[Math.toIntExact(Tensor.elements(model.config.shape(key)))];
            boolean norm = !key.role().matrix();
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) (norm ? 1 + 0.2 * random.nextGaussian() : 0.3 * random.nextGaussian());
            }
            model.weights.put(key, values);
        }
        return model;
    }

    float[] weight(TensorKey key) {
        float[] values = weights.get(key);
        if (values == null) {
            throw new IllegalArgumentException(key.toString());
        }
        return values;
    }

    /** Sets row {@code row} of a matrix, and of its bias if it has one, to zero. */
    void clearRow(Role role, int layer, int row) {
        int columns = config.columns(TensorKey.weight(role, layer));
        float[] values = weight(TensorKey.weight(role, layer));
        Arrays.fill(values, row * columns, (row + 1) * columns, 0);
        if (config.hasBias(TensorKey.weight(role, layer))) {
            weight(TensorKey.bias(role, layer))[row] = 0;
        }
    }

    /** Sets column {@code column} of a matrix to zero. */
    void clearColumn(TensorKey key, int column) {
        int columns = config.columns(key);
        float[] values = weight(key);
        for (int row = 0; row < config.rows(key); row++) {
            values[row * columns + column] = 0;
        }
    }

    Path write(Path folder, TensorFormat format) throws IOException {
        try (CheckpointWriter writer = CheckpointWriter.create(folder, config, Optional.empty(), key -> format)) {
            for (TensorKey key : config.tensors()) {
                writer.write(key, Tensor.ofFloats("random", weight(key), config.shape(key)));
            }
            writer.commit();
        }
        return folder;
    }

    /** Random windows of token ids. */
    int[][] windows(int count, int length, long seed) {
        Random random = new Random(seed);
        int[][] windows = new int[count][];
        for (int i = 0; i < count; i++) {
            windows[i] = random.ints(length, 0, config.vocabularySize()).toArray();
        }
        return windows;
    }
}
