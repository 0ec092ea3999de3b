package dev.demitasse.infer.weights;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;

/** Gives out a model's tensors: a checkpoint, or a checkpoint with some of its tensors replaced. */
public interface WeightSource {
    /** The tensor of {@code key}; a tied head gives the embedding. */
    Tensor tensor(TensorKey key);

    /** Whether there is a tensor of {@code key} of its own. */
    boolean has(TensorKey key);

    /** The tensors of {@code checkpoint}, which must stay open. */
    static WeightSource of(Checkpoint checkpoint) {
        return new WeightSource() {
            @Override
            public Tensor tensor(TensorKey key) {
                return checkpoint.tensor(key);
            }

            @Override
            public boolean has(TensorKey key) {
                return checkpoint.has(key);
            }
        };
    }
}
