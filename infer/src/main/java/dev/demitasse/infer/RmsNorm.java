package dev.demitasse.infer;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.TensorKey;

/** A norm of the residual stream with its weight. */
record RmsNorm(float[] weight, double epsilon) {
    static RmsNorm load(ModelConfig config, WeightSource source, TensorKey key) {
        return switch (config.norm()) {
            case Norm.Rms rms -> new RmsNorm(source.tensor(key).toFloats(), rms.epsilon());
            case Norm.Layer layer -> throw new IllegalArgumentException("layer norm");
        };
    }

    /** The norm of each row of {@code hidden [tokens, width]}, in a new array. */
    float[] apply(float[] hidden, int tokens, Workers workers) {
        float[] normed = new float[Math.multiplyExact(tokens, weight.length)];
        workers.worth((long) normed.length * 4)
                .run(
                        tokens,
                        token -> Elementwise.rmsNorm(
                                hidden, token * weight.length, weight.length, weight, epsilon, normed));
        return normed;
    }
}
