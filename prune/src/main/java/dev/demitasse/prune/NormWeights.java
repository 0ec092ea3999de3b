package dev.demitasse.prune;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.Arrays;

/**
 * What a norm multiplies and adds, {@code [hidden]} each: ones and zeros where there is no norm, or one without them.
 */
record NormWeights(float[] weight, float[] bias) {
    static NormWeights read(ModelConfig config, WeightSource source, Role norm, int layer) {
        float[] weight = new float[config.hiddenSize()];
        float[] bias = new float[config.hiddenSize()];
        Arrays.fill(weight, 1);
        TensorKey key = TensorKey.weight(norm, layer);
        if (config.has(key)) {
            weight = source.tensor(key).toFloats();
            float offset = config.norm(key).unitOffset() ? 1 : 0;
            for (int i = 0; i < weight.length; i++) {
                weight[i] += offset;
            }
        }
        if (config.has(TensorKey.bias(norm, layer))) {
            bias = source.tensor(TensorKey.bias(norm, layer)).toFloats();
        }
        return new NormWeights(weight, bias);
    }
}
