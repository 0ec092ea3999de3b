package dev.demitasse.infer.linear;

import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.infer.packed.PackedProduct;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import java.lang.foreign.Arena;
import java.util.Optional;

/**
 * A model's weights as its parts ask for them: tensors, and projections that the kernels wanted multiply. Owns the memory that
 * packed weights take. A tied head is packed beside the embedding, whose rows are read from the file.
 */
public final class Projections implements WeightSource, AutoCloseable {
    private final ModelConfig config;
    private final WeightSource source;
    private final Kernels kernels;
    private final Workers workers;
    private final Arena packed = Arena.ofShared();

    public Projections(ModelConfig config, WeightSource source, Kernels kernels, Workers workers) {
        this.config = config;
        this.source = source;
        this.kernels = kernels;
        this.workers = workers;
    }

    /** Weights that stay where they are, multiplied in float arithmetic. */
    public static Projections exact(ModelConfig config, WeightSource source) {
        return new Projections(config, source, Kernels.EXACT, Workers.COMMON);
    }

    @Override
    public Tensor tensor(TensorKey key) {
        return source.tensor(key);
    }

    @Override
    public boolean has(TensorKey key) {
        return source.has(key);
    }

    /** The projection of {@code role}, of no layer. */
    public Linear linear(Role role) {
        return linear(role, TensorKey.NO_LAYER);
    }

    /** The projection of {@code role} in a layer. */
    public Linear linear(Role role, int layer) {
        return linear(TensorKey.weight(role, layer));
    }

    /** The projection whose weight {@code key} names, with its bias if the model has one. */
    public Linear linear(TensorKey key) {
        Tensor weight = source.tensor(key);
        Optional<PackedProduct> product =
                weight.format().rowScaled() ? Optional.empty() : PackedProduct.of(weight, kernels, packed, workers);
        if (product.isEmpty()) {
            return Linear.load(config, source, key, kernels);
        }
        if (weight.data().isMapped()) {
            weight.data().unload();
        }
        Optional<Tensor> bias =
                config.hasBias(key) ? Optional.of(source.tensor(key.part(Part.BIAS))) : Optional.empty();
        return OutlierLinear.around(new PackedLinear(product.get(), FloatLinear.biasOf(weight, bias)), source, key);
    }

    @Override
    public void close() {
        packed.close();
    }
}
