package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.SparseFormat;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** One forward pass: what it runs on, the weights it reads, and what every part of it is made of. */
record Pass(ModelConfig config, Map<TensorKey, NDArray> weights, Tables tables, Batch batch) {

    NDArray weight(TensorKey key) {
        return Objects.requireNonNull(weights.get(key), key::toString);
    }

    /** The weight or bias, or null where the model has none. */
    private @Nullable NDArray find(TensorKey key) {
        return weights.get(key);
    }

    /** x {@code [..., in]} times the weight {@code [out, in]} transposed, plus the bias if there is one. */
    NDArray linear(NDArray x, TensorKey key) {
        return linear(x, weight(key), find(key.part(Part.BIAS)));
    }

    static NDArray linear(NDArray x, NDArray weight, @Nullable NDArray bias) {
        return x.getNDArrayInternal().linear(x, weight, bias).head();
    }

    /** Rows of {@code table [rows, width]}, {@code [..., width]} of indices {@code [...]}. */
    static NDArray rows(NDArray table, NDArray indices) {
        return indices.getNDArrayInternal()
                .embedding(indices, table, SparseFormat.DENSE)
                .head();
    }

    /** Normalizes the last dimension of {@code x} with the norm {@code role}. */
    NDArray norm(NDArray x, Role role, int layer) {
        TensorKey key = TensorKey.weight(role, layer);
        return norm(x, config.norm(key), key);
    }

    /** Normalizes the last dimension of {@code x}; weights and biases may have one dimension more, as {@code x} has. */
    NDArray norm(NDArray x, Norm norm, TensorKey key) {
        NDArray weight = find(key);
        NDArray bias = find(key.part(Part.BIAS));
        if (norm instanceof Norm.Layer
                && weight != null
                && bias != null
                && weight.getShape().dimension() == 1) {
            return x.getNDArrayInternal()
                    .layerNorm(x, weight.getShape(), weight, bias, (float) norm.epsilon())
                    .head();
        }
        NDArray centered = switch (norm) {
            case Norm.Rms rms -> x;
            case Norm.Layer layered -> x.sub(mean(x));
        };
        NDArray normalized =
                centered.mul(mean(centered.square()).add(norm.epsilon()).pow(-0.5));
        NDArray weighted = weight == null ? normalized : normalized.mul(weight);
        return bias == null ? weighted : weighted.add(bias);
    }

    private static NDArray mean(NDArray x) {
        return x.mean(new int[] {-1}, true);
    }
}
