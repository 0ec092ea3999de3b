package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import dev.demitasse.model.Head;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;

/** From the residual stream to logits; see {@link Head}. */
record OutputLayer(Pass pass) {

    /** The last layer's output {@code [B, T, H]}, normalized if the model does so. */
    NDArray finalNorm(NDArray hidden) {
        return pass.config().head().norm() ? pass.norm(hidden, Role.FINAL_NORM, TensorKey.NO_LAYER) : hidden;
    }

    /** @return {@code [B, T, V]} of {@code [B, T, H]} */
    NDArray logits(NDArray normalized) {
        Head head = pass.config().head();
        NDArray x = normalized;
        if (pass.config().embedding().width() != pass.config().hiddenSize()) {
            x = pass.linear(x, TensorKey.weight(Role.PROJECT_OUT));
        }
        if (head.transform().isPresent()) {
            x = pass.linear(x, TensorKey.weight(Role.HEAD_TRANSFORM));
            x = pass.norm(Activations.apply(head.transform().get(), x), Role.HEAD_NORM, TensorKey.NO_LAYER);
        }
        TensorKey weight = TensorKey.weight(Role.HEAD);
        TensorKey projection = head.tied() ? TensorKey.weight(Role.EMBEDDING) : weight;
        NDArray logits =
                Pass.linear(x, pass.weight(projection), head.bias() ? pass.weight(weight.part(Part.BIAS)) : null);
        if (head.scale() != 1) {
            logits = logits.mul((float) head.scale());
        }
        return head.softCap().isPresent() ? softCapped(logits, head.softCap().getAsDouble()) : logits;
    }

    private static NDArray softCapped(NDArray x, double cap) {
        return x.div((float) cap).tanh().mul((float) cap);
    }
}
