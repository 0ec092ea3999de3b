package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.Optional;

/** A layer's feed-forward block; see {@link FeedForward}. */
sealed interface FeedForwardBlock permits FeedForwardBlock.Neurons, MixtureOfExperts {
    /** x {@code [..., H]} to what the block adds to the residual stream. */
    NDArray apply(NDArray x);

    static FeedForwardBlock of(Pass pass, int layer) {
        FeedForward form = pass.config().feedForward(layer);
        if (form.experts().isPresent()) {
            return new MixtureOfExperts(pass, layer, form.experts().get());
        }
        Optional<TensorKey> gate = form.gated() ? Optional.of(TensorKey.weight(Role.GATE, layer)) : Optional.empty();
        return new Neurons(
                pass, form.activation(), gate, TensorKey.weight(Role.UP, layer), TensorKey.weight(Role.DOWN, layer));
    }

    /** down(activation(gate(x)) · up(x)), or down(activation(up(x))) without a gate. */
    record Neurons(Pass pass, Activation activation, Optional<TensorKey> gate, TensorKey up, TensorKey down)
            implements FeedForwardBlock {
        @Override
        public NDArray apply(NDArray x) {
            NDArray upward = pass.linear(x, up);
            NDArray neurons = gate.isPresent()
                    ? Activations.apply(activation, pass.linear(x, gate.get())).mul(upward)
                    : Activations.apply(activation, upward);
            return pass.linear(neurons, down);
        }
    }
}
