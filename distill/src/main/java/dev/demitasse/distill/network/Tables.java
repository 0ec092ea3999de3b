package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Rotary;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Arrays that follow from the number of tokens alone: made once, shared by layers and passes. */
final class Tables {
    private final NDManager manager;
    private final boolean causal;
    private final Map<RotaryKey, RotaryTable> rotary = new HashMap<>();
    private final Map<AttentionBias, Optional<NDArray>> biases = new HashMap<>();
    private int tokens;

    private record RotaryKey(Rotary rotary, int headDimension, double scale) {}

    Tables(NDManager manager, boolean causal) {
        this.manager = manager;
        this.causal = causal;
    }

    /** Has everything made for sequences of {@code count} tokens from now on. */
    void setTokens(int count) {
        if (count == tokens) {
            return;
        }
        tokens = count;
        rotary.values().forEach(table -> {
            table.cosine().close();
            table.sine().close();
        });
        rotary.clear();
        biases.values().forEach(bias -> bias.ifPresent(NDArray::close));
        biases.clear();
    }

    /** @param scale multiplies what is rotated */
    RotaryTable rotary(Rotary positions, int headDimension, double scale) {
        return rotary.computeIfAbsent(new RotaryKey(positions, headDimension, scale), key -> {
            RotaryTable table = RotaryTable.create(manager, positions, headDimension, tokens, scale);
            NDScope.unregister(table.cosine(), table.sine());
            return table;
        });
    }

    /** What a layer adds to its scores, {@code [1 or groups, heads/groups · T, T]}. */
    Optional<NDArray> bias(Attention attention, Positions positions) {
        return biases.computeIfAbsent(AttentionBias.of(attention, positions, causal, tokens), key -> {
            Optional<NDArray> bias = key.create(manager, tokens);
            bias.ifPresent(NDScope::unregister);
            return bias;
        });
    }
}
