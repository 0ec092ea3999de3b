package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TokenInput;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Sequences of equal length as arrays.
 *
 * @param tokens T
 * @param ids {@code [B, T]}, int64
 * @param positions rows of the table of learned positions, {@code [B, T]}, where the model has one
 * @param tokenTypes segments, {@code [B, T]}, where the model knows them
 * @param padding what is added to attention's scores of each key, {@code [B, 1, 1, T]}, where some are padding
 */
record Batch(
        int tokens, NDArray ids, Optional<NDArray> positions, Optional<NDArray> tokenTypes, Optional<NDArray> padding) {

    /** @throws InvalidRequestException if an id is none of the vocabulary's: PyTorch's own error names neither */
    static Batch of(NDManager manager, ModelConfig config, List<TokenInput> inputs) {
        int tokens = inputs.getFirst().length();
        for (TokenInput input : inputs) {
            if (input.length() != tokens) {
                throw new IllegalArgumentException(
                        "sequences of %d and %d tokens in one batch".formatted(tokens, input.length()));
            }
            requireKnown(input.ids(), config.vocabularySize());
        }
        Optional<NDArray> positions = config.embedding().positions() == 0
                ? Optional.empty()
                : Optional.of(integers(manager, inputs, tokens, input -> input.positionRows(config)));
        Optional<NDArray> types = config.embedding().tokenTypes() == 0
                ? Optional.empty()
                : Optional.of(integers(manager, inputs, tokens, input -> input.segments(config)));
        return new Batch(
                tokens,
                integers(manager, inputs, tokens, TokenInput::ids),
                positions,
                types,
                padding(manager, inputs, tokens));
    }

    private static NDArray integers(
            NDManager manager, List<TokenInput> inputs, int tokens, Function<TokenInput, int[]> part) {
        long[] all = inputs.stream()
                .map(part)
                .flatMapToInt(java.util.Arrays::stream)
                .asLongStream()
                .toArray();
        return manager.create(all, new Shape(inputs.size(), tokens));
    }

    private static Optional<NDArray> padding(NDManager manager, List<TokenInput> inputs, int tokens) {
        float[] bias = new float[Math.multiplyExact(inputs.size(), tokens)];
        boolean any = false;
        for (int row = 0; row < inputs.size(); row++) {
            boolean[] attended = inputs.get(row).attended().orElse(null);
            for (int i = 0; attended != null && i < tokens; i++) {
                if (!attended[i]) {
                    bias[row * tokens + i] = AttentionBias.HIDDEN;
                    any = true;
                }
            }
        }
        return any ? Optional.of(manager.create(bias, new Shape(inputs.size(), 1, 1, tokens))) : Optional.empty();
    }

    private static void requireKnown(int[] ids, int vocabularySize) {
        for (int id : ids) {
            if (id < 0 || id >= vocabularySize) {
                throw new InvalidRequestException(
                        "token ids",
                        "id %d is outside of the model's vocabulary of %,d".formatted(id, vocabularySize),
                        "tokenize the text with the model's own tokenizer");
            }
        }
    }
}
