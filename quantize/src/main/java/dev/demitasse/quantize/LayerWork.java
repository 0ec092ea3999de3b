package dev.demitasse.quantize;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import java.util.List;

/**
 * How many multiply-adds the steps of calibrating and quantizing a layer take, roughly: by it a layer tells how far it is.
 *
 * @param tokens of a window
 * @param exact whether the float model's stream goes along
 */
record LayerWork(ModelConfig config, int windows, int tokens, boolean exact) {
    /**
     * What finding a projection's codes takes, in products of it with its second moment: about eight products, and searches
     * that take as long as twelve more (TinyLlama's shapes, Q4_K).
     */
    private static final double PRODUCTS = 20;

    /** One window's inputs of a half's first projections. */
    double outer() {
        double width = config.hiddenSize();
        return tokens * width * width * (exact ? 1.5 : 0.5);
    }

    /** One window's way to a half's last projection, and, of the float model, past it. */
    double inner(List<TensorKey> first, TensorKey last) {
        double width = config.columns(last);
        double forward = parameters(first) * (exact ? 2 : 1) + (exact ? 2 * parameters(List.of(last)) : 0);
        return tokens * (forward + width * width / 2 + (exact ? width * config.hiddenSize() : 0));
    }

    /** One window's way past a half's last projection. */
    double completion(TensorKey last) {
        return tokens * parameters(List.of(last));
    }

    /** The codes of one projection. */
    double projection(TensorKey key) {
        return PRODUCTS * parameters(List.of(key)) * config.columns(key);
    }

    /** All of a half. */
    double half(List<TensorKey> first, TensorKey last) {
        return windows * (outer() + inner(first, last) + completion(last))
                + first.stream().mapToDouble(this::projection).sum()
                + projection(last);
    }

    private double parameters(List<TensorKey> keys) {
        return keys.stream()
                .mapToDouble(key -> (double) config.rows(key) * config.columns(key))
                .sum();
    }
}
