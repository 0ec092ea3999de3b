package dev.demitasse.infer.linear;

import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.InputQuantization;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.ScalarFormat;
import java.util.Optional;

/** y = x · Wᵀ + b over weights {@code [out, in]}. */
public sealed interface Linear permits FloatLinear, Int8Linear, OutlierLinear, PackedLinear {
    /** Up to so many tokens at once, each gets to the bit what it would get alone. */
    int FEW_TOKENS = 4;

    /** The projection of {@code role}, with its bias if the model has one: per layer, or {@link Role#HEAD}. */
    static Linear load(ModelConfig config, WeightSource source, Role role, int layer) {
        return load(config, source, new TensorKey(role, Part.WEIGHT, layer));
    }

    /** The projection whose weight {@code key} names, with its bias if the model has one. */
    static Linear load(ModelConfig config, WeightSource source, TensorKey key) {
        return load(config, source, key, Kernels.EXACT);
    }

    /** The same by certain kernels. */
    static Linear load(ModelConfig config, WeightSource source, TensorKey key, Kernels kernels) {
        Tensor weight = source.tensor(key);
        Optional<Tensor> bias =
                config.hasBias(key) ? Optional.of(source.tensor(key.part(Part.BIAS))) : Optional.empty();
        return OutlierLinear.around(quantized(source, key, weight, bias, kernels), source, key);
    }

    private static Linear quantized(
            WeightSource source, TensorKey key, Tensor weight, Optional<Tensor> bias, Kernels kernels) {
        if (!weight.format().rowScaled()) {
            return FloatLinear.of(weight, Optional.empty(), bias, kernels);
        }
        Tensor scales = source.tensor(key.part(Part.SCALE));
        return weight.format() == ScalarFormat.I8
                ? Int8Linear.of(weight, scales, bias, fixedInput(source, key))
                : FloatLinear.of(weight, Optional.of(scales), bias, kernels);
    }

    private static Optional<InputQuantization> fixedInput(WeightSource source, TensorKey key) {
        TensorKey scale = key.part(Part.INPUT_SCALE);
        return source.has(scale)
                ? Optional.of(new InputQuantization(
                        source.tensor(scale).toFloats()[0],
                        source.tensor(key.part(Part.INPUT_ZERO_POINT)).toInts()[0]))
                : Optional.empty();
    }

    /** A projection over a weight whose rows need no scales. */
    static Linear of(Tensor weight, Optional<Tensor> bias) {
        return FloatLinear.of(weight, Optional.empty(), bias);
    }

    /** Width of y. */
    int outputs();

    /** Width of x. */
    int inputs();

    /** y {@code [tokens, outputs]} = x · Wᵀ + b. */
    void multiply(LinearInput x, float[] y, Workers workers);

    /** x · Wᵀ + b, {@code [tokens, outputs]}, in a new array. */
    default float[] multiply(LinearInput x, Workers workers) {
        float[] y = new float[Math.multiplyExact(x.tokens(), outputs())];
        multiply(x, y, workers);
        return y;
    }

    /** y {@code [tokens, outputs]} = x {@code [tokens, inputs]} · Wᵀ + b, on the JVM's common pool. */
    default void multiply(float[] x, int tokens, float[] y) {
        multiply(new LinearInput(x, tokens, inputs()), y, Workers.COMMON);
    }
}
