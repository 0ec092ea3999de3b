package dev.demitasse.distill;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import dev.demitasse.distill.loss.SoftTargets;
import dev.demitasse.distill.network.PyTorch;
import dev.demitasse.distill.network.SourceWeights;
import dev.demitasse.distill.network.Transformer;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TokenInput;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The model that is learnt from: run, never differentiated. */
final class Teacher {
    private final Transformer network;

    Teacher(NDManager manager, Checkpoint checkpoint) {
        SourceWeights weights = SourceWeights.of(checkpoint);
        network = new Transformer(manager, weights.config(), weights.tensor(), false);
    }

    ModelConfig config() {
        return network.config();
    }

    /**
     * What the teacher makes of a batch.
     *
     * @param distributions at the loss's temperature, if the loss asks for them
     * @param hiddenStates L + 1 of them, {@code [B, T, H]}, if the loss asks for them
     */
    record Targets(Optional<SoftTargets> distributions, List<NDArray> hiddenStates) {}

    /** The arrays returned belong to the caller's scope; all others are freed here. */
    Targets targets(List<TokenInput> inputs, LossWeights loss) {
        List<NDArray> kept = new ArrayList<>();
        Optional<SoftTargets> distributions = Optional.empty();
        List<NDArray> hidden = List.of();
        try (PyTorch.Untraced untraced = PyTorch.untraced();
                NDScope scope = new NDScope()) {
            scope.suppressNotUsedWarning();
            NDList output = network.forward(inputs);
            if (loss.kl() > 0) {
                SoftTargets soft = SoftTargets.of(output.head(), loss.temperature());
                distributions = Optional.of(soft);
                kept.add(soft.probabilities());
                kept.add(soft.negativeEntropy());
            }
            if (loss.hidden() > 0) {
                hidden = List.copyOf(output.subNDList(1));
                kept.addAll(hidden);
            }
            kept.forEach(NDScope::unregister);
        }
        kept.forEach(NDScope::register);
        return new Targets(distributions, hidden);
    }
}
