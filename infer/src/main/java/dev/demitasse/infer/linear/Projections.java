package dev.demitasse.infer.linear;

import dev.demitasse.infer.machine.FreeMemory;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.infer.packed.PackedProduct;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A model's weights as its parts ask for them: tensors, and projections that the kernels wanted multiply. Owns the memory that
 * packed weights take; a weight whose packed form would leave too little stays in the file. A tied head is packed beside the
 * embedding, whose rows are read from the file.
 */
public final class Projections implements WeightSource, AutoCloseable {
    private static final Logger LOGGER = System.getLogger(Projections.class.getName());

    /** What is to be left for activations, keys and values, and everybody else. */
    private static final long RESERVE = 512L << 20;

    private final ModelConfig config;
    private final WeightSource source;
    private final Kernels kernels;
    private final Workers workers;
    private final FreeMemory memory;
    private final Arena packed = Arena.ofShared();
    private boolean logged;

    public Projections(ModelConfig config, WeightSource source, Kernels kernels, Workers workers) {
        this(config, source, kernels, workers, FreeMemory.ofSystem());
    }

    Projections(ModelConfig config, WeightSource source, Kernels kernels, Workers workers, FreeMemory memory) {
        this.config = config;
        this.source = source;
        this.kernels = kernels;
        this.workers = workers;
        this.memory = memory;
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
        Optional<PackedProduct> product = weight.format().rowScaled() || !fits(weight)
                ? Optional.empty()
                : PackedProduct.of(weight, kernels, packed, workers);
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

    /**
     * Whether a weight's packed form leaves enough memory. The system may drop mapped pages that it has no room for, and read
     * them again, but not packed ones.
     */
    private boolean fits(Tensor weight) {
        if (kernels == Kernels.EXACT || !(weight.format() instanceof BlockFormat)) {
            return true;
        }
        OptionalLong free = memory.bytes();
        boolean fits = free.isEmpty() || weight.data().byteSize() + RESERVE <= free.getAsLong();
        if (!fits && !logged) {
            logged = true;
            LOGGER.log(
                    Level.WARNING,
                    "with {0} MB of memory left, ''{1}'' and other weights stay in their file, where they are multiplied slower",
                    free.getAsLong() >> 20,
                    weight.name());
        }
        return fits;
    }

    @Override
    public void close() {
        packed.close();
    }
}
