package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import dev.demitasse.model.Residual;
import dev.demitasse.model.Role;

/** One layer: attention, feed-forward block and norms around the residual stream as {@link Residual} says. */
record Layer(Pass pass, int layer) {

    /** h {@code [B, T, H]} before the layer to h after it. */
    NDArray apply(NDArray h) {
        return switch (pass.config().residual()) {
            case PRE_NORM -> {
                NDArray sum = add(h, attention(norm(h, Role.ATTENTION_NORM)));
                yield add(sum, feedForward(norm(sum, Role.FEED_FORWARD_NORM)));
            }
            case POST_NORM -> {
                NDArray normalized = norm(add(h, attention(h)), Role.ATTENTION_POST_NORM);
                yield norm(add(normalized, feedForward(normalized)), Role.FEED_FORWARD_POST_NORM);
            }
            case OUTPUT_NORM -> {
                NDArray sum = add(h, norm(attention(h), Role.ATTENTION_POST_NORM));
                yield add(sum, norm(feedForward(sum), Role.FEED_FORWARD_POST_NORM));
            }
            case SANDWICH_NORM -> {
                NDArray attended = attention(norm(h, Role.ATTENTION_NORM));
                NDArray sum = add(h, norm(attended, Role.ATTENTION_POST_NORM));
                NDArray fed = feedForward(norm(sum, Role.FEED_FORWARD_NORM));
                yield add(sum, norm(fed, Role.FEED_FORWARD_POST_NORM));
            }
            case PARALLEL -> {
                NDArray x = norm(h, Role.ATTENTION_NORM);
                yield add(h, attention(x).add(feedForward(x)));
            }
            case PARALLEL_TWO_NORMS ->
                add(h, attention(norm(h, Role.ATTENTION_NORM)).add(feedForward(norm(h, Role.FEED_FORWARD_NORM))));
        };
    }

    private NDArray add(NDArray residual, NDArray part) {
        double scale = pass.config().residualScale();
        return residual.add(scale == 1 ? part : part.mul((float) scale));
    }

    private NDArray norm(NDArray x, Role role) {
        return pass.norm(x, role, layer);
    }

    private NDArray attention(NDArray x) {
        return new SelfAttention(pass, layer).apply(x);
    }

    private NDArray feedForward(NDArray x) {
        return FeedForwardBlock.of(pass, layer).apply(x);
    }
}
