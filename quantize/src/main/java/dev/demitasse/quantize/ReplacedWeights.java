package dev.demitasse.quantize;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Weights with some of them replaced. */
final class ReplacedWeights implements WeightSource {
    private final WeightSource original;
    private final Map<TensorKey, Tensor> replacements = new ConcurrentHashMap<>();

    ReplacedWeights(WeightSource original) {
        this.original = original;
    }

    void put(TensorKey key, Tensor tensor) {
        replacements.put(key, tensor);
    }

    void putAll(Map<TensorKey, Tensor> tensors) {
        replacements.putAll(tensors);
    }

    @Override
    public Tensor tensor(TensorKey key) {
        Tensor replacement = replacements.get(key);
        if (replacement == null && key.role() == Role.HEAD && !original.has(key)) {
            // A tied head is the embedding, replaced or not.
            replacement = replacements.get(new TensorKey(Role.EMBEDDING, key.part(), key.layer()));
        }
        return replacement != null ? replacement : original.tensor(key);
    }

    @Override
    public boolean has(TensorKey key) {
        return replacements.containsKey(key) || original.has(key);
    }
}
