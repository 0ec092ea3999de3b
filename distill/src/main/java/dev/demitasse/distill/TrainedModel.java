package dev.demitasse.distill;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import dev.demitasse.distill.network.PyTorch;
import dev.demitasse.distill.network.SourceWeights;
import dev.demitasse.distill.network.Transformer;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.TokenInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A checkpoint run by the trainer's own forward pass: what training would differentiate, to be compared with others. */
public final class TrainedModel implements AutoCloseable {
    private final NDManager manager;
    private final Transformer network;

    private TrainedModel(NDManager manager, Transformer network) {
        this.manager = manager;
        this.network = network;
    }

    /**
     * What a forward pass gives.
     *
     * @param logits {@code [B, T, V]}, row-major
     * @param hiddenStates the embeddings, the output of each layer but the last, and the last layer's after the final norm
     *     if there is one, each {@code [B, T, H]}
     */
    public record ForwardResult(float[] logits, List<float[]> hiddenStates) {}

    /** Copies the weights of {@code checkpoint}, which may be closed afterwards. */
    public static TrainedModel open(Checkpoint checkpoint) {
        NDManager manager = PyTorch.newManager();
        try {
            SourceWeights weights = SourceWeights.of(checkpoint);
            return new TrainedModel(manager, new Transformer(manager, weights.config(), weights.tensor(), false));
        } catch (Throwable e) {
            manager.close();
            throw e;
        }
    }

    /** One forward pass of {@code checkpoint} over sequences of equal length. */
    public static ForwardResult forward(Checkpoint checkpoint, int[][] ids) {
        try (TrainedModel model = open(checkpoint)) {
            return model.forward(ids);
        }
    }

    /** Runs sequences of equal length, {@code [B, T]}. */
    public ForwardResult forward(int[][] ids) {
        return forward(Arrays.stream(ids).map(TokenInput::of).toList());
    }

    /** Runs sequences of equal length, padding and segments told. */
    public ForwardResult forward(List<TokenInput> inputs) {
        try (PyTorch.Untraced untraced = PyTorch.untraced();
                NDScope scope = new NDScope()) {
            scope.suppressNotUsedWarning();
            NDList output = network.forward(inputs);
            List<float[]> hidden = new ArrayList<>();
            for (NDArray state : output.subNDList(1)) {
                hidden.add(state.toFloatArray());
            }
            return new ForwardResult(output.head().toFloatArray(), hidden);
        }
    }

    @Override
    public void close() {
        manager.close();
    }
}
