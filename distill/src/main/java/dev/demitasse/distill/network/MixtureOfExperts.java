package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.Arrays;
import java.util.Optional;

/**
 * A mixture of experts (Shazeer et al., arXiv:1701.06538, §2.1): each expert computes its own tokens only.
 *
 * <p>Which experts a token takes is found outside of differentiation; the router learns from the weights of those taken,
 * as in transformers. Rows are gathered in the order of experts, and brought back by a second gather, so that no sum has an
 * order that varies.
 */
record MixtureOfExperts(Pass pass, int layer, Experts experts) implements FeedForwardBlock {

    /** x {@code [..., H]}, N tokens in all. */
    @Override
    public NDArray apply(NDArray x) {
        long width = pass.config().hiddenSize();
        NDArray tokens = x.reshape(-1, width);
        NDManager manager = x.getManager();
        NDArray probabilities =
                pass.linear(tokens, TensorKey.weight(Role.ROUTER, layer)).softmax(-1);
        Routing routing = Routing.of(probabilities.toFloatArray(), experts.count(), experts.used());
        Shape choices = new Shape(tokens.getShape().get(0), experts.used());
        NDArray weights = probabilities.gather(manager.create(routing.experts(), choices), 1);
        if (experts.normalized()) {
            weights = weights.div(weights.sum(new int[] {1}, true));
        }
        NDArray gathered = Pass.rows(tokens, manager.create(routing.tokens()));
        NDArray outputs = outputs(gathered, routing);
        NDArray sum = Pass.rows(outputs, manager.create(routing.places(), choices))
                .mul(weights.expandDims(2))
                .sum(new int[] {1});
        return (experts.sharedSize() > 0 ? sum.add(shared(tokens)) : sum).reshape(x.getShape());
    }

    /** What each expert makes of its rows, {@code [N · used, H]}, in the order of experts. */
    private NDArray outputs(NDArray gathered, Routing routing) {
        int[] busy = routing.busyExperts();
        long[] bounds = Arrays.stream(busy).skip(1).mapToLong(routing::first).toArray();
        NDList parts = bounds.length == 0 ? new NDList(gathered) : gathered.split(bounds, 0);
        NDList outputs = new NDList();
        for (int i = 0; i < busy.length; i++) {
            outputs.add(expert(busy[i]).apply(parts.get(i)));
        }
        return outputs.size() == 1 ? outputs.head() : NDArrays.concat(outputs, 0);
    }

    private Neurons expert(int index) {
        return new Neurons(
                pass,
                activation(),
                Optional.of(TensorKey.expert(Role.EXPERT_GATE, layer, index)),
                TensorKey.expert(Role.EXPERT_UP, layer, index),
                TensorKey.expert(Role.EXPERT_DOWN, layer, index));
    }

    /** The expert of all tokens, times the sigmoid of its own router, {@code [N, H]}. */
    private NDArray shared(NDArray tokens) {
        Neurons neurons = new Neurons(
                pass,
                activation(),
                Optional.of(TensorKey.weight(Role.SHARED_GATE, layer)),
                TensorKey.weight(Role.SHARED_UP, layer),
                TensorKey.weight(Role.SHARED_DOWN, layer));
        NDArray share = Activations.sigmoid(pass.linear(tokens, TensorKey.weight(Role.SHARED_ROUTER, layer)));
        return neurons.apply(tokens).mul(share);
    }

    private Activation activation() {
        FeedForward form = pass.config().feedForward(layer);
        return form.activation();
    }
}
