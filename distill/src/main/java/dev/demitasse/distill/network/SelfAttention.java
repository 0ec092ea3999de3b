package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Positions;
import dev.demitasse.model.QueryKeyNorm;
import dev.demitasse.model.QueryKeyNorm.Scope;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.Optional;

/**
 * A layer's self-attention (Vaswani et al., arXiv:1706.03762, §3.2).
 *
 * <p>Query heads of one group stand as further rows of one matrix, {@code [B, G, heads/G · T, D]}, so that keys and values
 * are never repeated. Queries carry the scale before they meet keys, where it costs least.
 */
record SelfAttention(Pass pass, int layer) {

    /** x {@code [B, T, H]}, normalized if the model does so, to what attention adds to the residual stream. */
    NDArray apply(NDArray x) {
        Attention attention = pass.config().attention(layer);
        Positions positions = pass.config().positions(layer);
        long batch = x.getShape().get(0);
        long tokens = x.getShape().get(1);
        long groups = attention.keyValueHeads();
        int width = attention.headDimension();
        double cap = attention.softCap().orElse(1);
        NDArray query = positioned(
                        projected(x, Role.QUERY, Optional.of(Role.QUERY_NORM)), positions, attention.scale() / cap)
                .reshape(batch, groups, attention.groupSize() * tokens, width);
        NDArray key = positioned(projected(x, Role.KEY, Optional.of(Role.KEY_NORM)), positions, 1);
        NDArray value = projected(x, Role.VALUE, Optional.empty());
        NDArray scores = query.matMul(key.transpose(0, 1, 3, 2));
        if (attention.softCap().isPresent()) {
            scores = scores.tanh().mul((float) cap);
        }
        NDArray mixed = biased(scores, attention, positions)
                .softmax(-1)
                .matMul(value)
                .reshape(batch, attention.heads(), tokens, width)
                .transpose(0, 2, 1, 3)
                .reshape(batch, tokens, attention.queryWidth());
        return pass.linear(mixed, TensorKey.weight(Role.ATTENTION_OUTPUT, layer));
    }

    private NDArray biased(NDArray scores, Attention attention, Positions positions) {
        NDArray biased = scores;
        Optional<NDArray> bias = pass.tables().bias(attention, positions);
        if (bias.isPresent()) {
            biased = biased.add(bias.get());
        }
        return pass.batch().padding().isPresent()
                ? biased.add(pass.batch().padding().get())
                : biased;
    }

    /** Queries, keys or values, {@code [B, heads, T, D]}: normalized, then clipped, as OLMoE has it. */
    private NDArray projected(NDArray x, Role role, Optional<Role> normRole) {
        Attention attention = pass.config().attention(layer);
        TensorKey key = TensorKey.weight(role, layer);
        NDArray all = pass.linear(x, key);
        Optional<QueryKeyNorm> norm = normRole.flatMap(each -> attention.queryKeyNorm());
        boolean together = norm.isPresent() && norm.get().scope() == Scope.ALL_HEADS;
        if (together) {
            all = normalized(all, normRole.orElseThrow());
        }
        Shape shape = all.getShape();
        int width = attention.headDimension();
        NDArray heads = all.reshape(shape.get(0), shape.get(1), pass.config().rows(key) / width, width);
        if (norm.isPresent() && !together) {
            heads = normalized(heads, normRole.orElseThrow());
        }
        if (attention.clip().isPresent()) {
            float bound = (float) attention.clip().getAsDouble();
            heads = heads.clip(-bound, bound);
        }
        return heads.transpose(0, 2, 1, 3);
    }

    private NDArray normalized(NDArray x, Role role) {
        TensorKey key = TensorKey.weight(role, layer);
        Norm norm = pass.config().norm(key);
        return pass.norm(x, norm, key);
    }

    /** Turns {@code x [B, heads, T, D]} by its positions where they are rotary, and multiplies it. */
    private NDArray positioned(NDArray x, Positions positions, double scale) {
        return switch (positions) {
            case Positions.Rotary rotary ->
                pass.tables()
                        .rotary(rotary, pass.config().attention(layer).headDimension(), scale)
                        .rotate(x);
            case Positions.Alibi alibi -> scaled(x, scale);
            case Positions.None none -> scaled(x, scale);
        };
    }

    private static NDArray scaled(NDArray x, double scale) {
        return scale == 1 ? x : x.mul((float) scale);
    }
}
