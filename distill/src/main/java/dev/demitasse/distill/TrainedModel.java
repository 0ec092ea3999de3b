package dev.demitasse.distill;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.Shape;
import dev.demitasse.distill.network.Decoder;
import dev.demitasse.distill.network.PyTorch;
import dev.demitasse.distill.network.SourceWeights;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import java.util.ArrayList;
import java.util.List;

/** A checkpoint run by the trainer's own forward pass: what training would differentiate, to be compared with others. */
public final class TrainedModel implements AutoCloseable {
    private final NDManager manager;
    private final Decoder decoder;

    private TrainedModel(NDManager manager, Decoder decoder) {
        this.manager = manager;
        this.decoder = decoder;
    }

    /**
     * What a forward pass gives.
     *
     * @param logits {@code [B, T, V]}, row-major
     * @param hiddenStates the embeddings, the output of each layer but the last, and the last layer's after the final norm,
     *     each {@code [B, T, H]}
     */
    public record ForwardResult(float[] logits, List<float[]> hiddenStates) {}

    /** Copies the weights of {@code checkpoint}, which may be closed afterwards. */
    public static TrainedModel open(Checkpoint checkpoint) {
        NDManager manager = PyTorch.newManager();
        try {
            SourceWeights weights = SourceWeights.of(checkpoint);
            return new TrainedModel(manager, new Decoder(manager, weights.config(), weights.tensor(), false));
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
        try (PyTorch.Untraced untraced = PyTorch.untraced();
                NDScope scope = new NDScope()) {
            scope.suppressNotUsedWarning();
            NDList output = decoder.forward(array(manager, ids, decoder.config().vocabularySize()));
            List<float[]> hidden = new ArrayList<>();
            for (NDArray state : output.subNDList(1)) {
                hidden.add(state.toFloatArray());
            }
            return new ForwardResult(output.head().toFloatArray(), hidden);
        }
    }

    /** Ids {@code [B, T]} as int64, each checked to be in the vocabulary: PyTorch's own error names neither. */
    static NDArray array(NDManager manager, int[][] ids, int vocabularySize) {
        int length = ids[0].length;
        long[] flat = new long[Math.multiplyExact(ids.length, length)];
        for (int row = 0; row < ids.length; row++) {
            for (int i = 0; i < length; i++) {
                int id = ids[row][i];
                if (id < 0 || id >= vocabularySize) {
                    throw new InvalidRequestException(
                            "token ids",
                            "id %d is outside of the model's vocabulary of %,d".formatted(id, vocabularySize),
                            "tokenize the text with the model's own tokenizer");
                }
                flat[row * length + i] = id;
            }
        }
        return manager.create(flat, new Shape(ids.length, length));
    }

    @Override
    public void close() {
        manager.close();
    }
}
