package dev.demitasse.infer;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Attention;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import java.util.Arrays;

/**
 * A norm with its weights.
 *
 * @param norm kind and epsilon
 * @param width numbers that are normalized together
 * @param weight {@code [groups · width]}, 1 added where files hold it less 1, 1 where the norm has none: row r of what
 *     is normalized takes the part r modulo groups
 * @param bias of the same length, 0 where the norm has none; empty for an RMS norm
 */
record Normalization(Norm norm, int width, float[] weight, float[] bias) {
    /** The norm that {@code key} names, of vectors as long as it has weights. */
    static Normalization load(ModelConfig config, WeightSource source, Role role, int layer) {
        TensorKey key = TensorKey.weight(role, layer);
        int weights = config.rows(key);
        return load(config, source, key, weights, weights);
    }

    /** The norm of queries or of keys of {@code layer}. */
    static Normalization ofHeads(ModelConfig config, WeightSource source, Role role, int layer) {
        TensorKey key = TensorKey.weight(role, layer);
        Attention attention = config.attention(layer);
        Scope scope = attention.queryKeyNorm().orElseThrow().scope();
        int weights = config.rows(key);
        int width = switch (scope) {
            case HEAD, EACH_HEAD -> attention.headDimension();
            case ALL_HEADS -> weights;
        };
        return load(config, source, key, weights, width);
    }

    private static Normalization load(ModelConfig config, WeightSource source, TensorKey key, int weights, int width) {
        Norm norm = config.norm(key);
        float[] weight = norm.weight() ? source.tensor(key).toFloats() : ones(weights);
        return switch (norm) {
            case Norm.Rms rms -> {
                if (rms.unitOffset()) {
                    for (int i = 0; i < weight.length; i++) {
                        weight[i] += 1;
                    }
                }
                yield new Normalization(norm, width, weight, new float[0]);
            }
            case Norm.Layer layer -> {
                float[] bias = layer.bias() ? source.tensor(key.part(Part.BIAS)).toFloats() : new float[weights];
                yield new Normalization(norm, width, weight, bias);
            }
        };
    }

    private static float[] ones(int count) {
        float[] ones = new float[count];
        Arrays.fill(ones, 1);
        return ones;
    }

    /** The norm of each row of {@code values [rows, width]}, in a new array. */
    float[] apply(float[] values, int rows, Workers workers) {
        float[] normed = new float[Math.multiplyExact(rows, width)];
        write(values, rows, normed, workers);
        return normed;
    }

    /** Replaces each row of {@code values [rows, width]} by its norm. */
    void replace(float[] values, int rows, Workers workers) {
        write(values, rows, values, workers);
    }

    private void write(float[] values, int rows, float[] normed, Workers workers) {
        int groups = weight.length / width;
        workers.worth((long) rows * width * 4).run(rows, row -> {
            int weightAt = row % groups * width;
            switch (norm) {
                case Norm.Rms rms ->
                    Elementwise.rmsNorm(values, row * width, width, weight, weightAt, rms.epsilon(), normed);
                case Norm.Layer layer ->
                    Elementwise.layerNorm(values, row * width, width, weight, bias, weightAt, layer.epsilon(), normed);
            }
        });
    }
}
