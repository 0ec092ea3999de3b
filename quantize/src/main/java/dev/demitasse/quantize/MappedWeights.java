package dev.demitasse.quantize;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import java.lang.foreign.MemorySegment;

/** Gives memory that mapped weights took back to the system, so that it does not grow with the model. */
final class MappedWeights {
    private MappedWeights() {}

    /** Those of one layer. They can be read again, from the file. */
    static void release(ModelConfig config, WeightSource source, int layer) {
        config.layerTensors(layer).forEach(key -> release(source, key));
    }

    static void release(WeightSource source, TensorKey key) {
        MemorySegment data = source.tensor(key).data();
        if (data.isMapped()) {
            data.unload();
        }
    }
}
