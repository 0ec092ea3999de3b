package dev.demitasse.quantize;

import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.quantize.QuantizationReport.TensorReport;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Collects the tensors of a layer as they are quantized. */
final class LayerOutcome {
    private final ModelConfig config;
    private final WeightSource original;
    private final Map<TensorKey, Tensor> tensors = new LinkedHashMap<>();
    private final List<TensorReport> reports = new ArrayList<>();

    /** Errors are measured against {@code original}. */
    LayerOutcome(ModelConfig config, WeightSource original) {
        this.config = config;
        this.original = original;
    }

    /** Takes up a finished matrix whose inputs were not looked at, begun at {@code start} of {@link System#nanoTime}. */
    void put(TensorKey key, RoundedTensor rounded, long start) {
        put(key, rounded, Optional.empty(), Optional.empty(), start);
    }

    /** Takes up a finished matrix, begun at {@code start} of {@link System#nanoTime}. */
    void put(TensorKey key, RoundedTensor rounded, Optional<Double> outputError, Optional<Double> silent, long start) {
        tensors.putAll(rounded.tensors(key));
        reports.add(new TensorReport(
                config.name(key),
                key.layer(),
                rounded.weight().format().id(),
                rounded.errorAgainst(original.tensor(key)),
                outputError,
                silent,
                (System.nanoTime() - start) / 1e9));
    }

    /** Takes up a tensor that is not quantized. */
    void put(TensorKey key, Tensor tensor) {
        tensors.put(key, tensor);
    }

    QuantizedLayer finish() {
        return new QuantizedLayer(tensors, List.copyOf(reports));
    }
}
