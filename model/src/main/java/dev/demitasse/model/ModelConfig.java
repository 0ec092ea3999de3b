package dev.demitasse.model;

import dev.demitasse.model.TensorKey.Part;
import java.util.ArrayList;
import java.util.List;

/**
 * Everything that the CPU runtime, the trainer and the ONNX writer need to know of a decoder.
 *
 * @param family which family's names and config.json it has; see {@link Families}
 * @param vocabularySize rows of the embedding
 * @param hiddenSize width of the residual stream
 * @param layers number of decoder layers
 * @param attention heads, biases, window
 * @param feedForward width and activation
 * @param norm kind and epsilon
 * @param positions how positions enter
 * @param maximumPositions longest context the model was made for
 * @param tiedHead whether the embedding is also the output projection
 * @param specialTokens ids of bos, eos, pad
 */
public record ModelConfig(
        Family family,
        int vocabularySize,
        int hiddenSize,
        int layers,
        Attention attention,
        FeedForward feedForward,
        Norm norm,
        Positions positions,
        int maximumPositions,
        boolean tiedHead,
        SpecialTokens specialTokens) {

    public ModelConfig {
        if (vocabularySize < 1 || hiddenSize < 1 || layers < 1 || maximumPositions < 1) {
            throw new IllegalArgumentException("vocab_size %d, hidden_size %d, layers %d, positions %d"
                    .formatted(vocabularySize, hiddenSize, layers, maximumPositions));
        }
    }

    public ModelConfig withHiddenSize(int size) {
        return new ModelConfig(
                family,
                vocabularySize,
                size,
                layers,
                attention,
                feedForward,
                norm,
                positions,
                maximumPositions,
                tiedHead,
                specialTokens);
    }

    public ModelConfig withLayers(int count) {
        return new ModelConfig(
                family,
                vocabularySize,
                hiddenSize,
                count,
                attention,
                feedForward,
                norm,
                positions,
                maximumPositions,
                tiedHead,
                specialTokens);
    }

    public ModelConfig withAttention(Attention other) {
        return new ModelConfig(
                family,
                vocabularySize,
                hiddenSize,
                layers,
                other,
                feedForward,
                norm,
                positions,
                maximumPositions,
                tiedHead,
                specialTokens);
    }

    public ModelConfig withFeedForward(FeedForward other) {
        return new ModelConfig(
                family,
                vocabularySize,
                hiddenSize,
                layers,
                attention,
                other,
                norm,
                positions,
                maximumPositions,
                tiedHead,
                specialTokens);
    }

    public ModelConfig withPositions(Positions other) {
        return new ModelConfig(
                family,
                vocabularySize,
                hiddenSize,
                layers,
                attention,
                feedForward,
                norm,
                other,
                maximumPositions,
                tiedHead,
                specialTokens);
    }

    /** Whether the module of {@code role} adds a bias. */
    public boolean hasBias(Role role) {
        return switch (role) {
            case QUERY, KEY, VALUE, ATTENTION_OUTPUT -> attention.biases().contains(role);
            case GATE, UP, DOWN -> feedForward.bias();
            case EMBEDDING, ATTENTION_NORM, FEED_FORWARD_NORM, FINAL_NORM, HEAD -> false;
        };
    }

    /** Every weight and bias the model consists of, in the order a forward pass meets them. */
    public List<TensorKey> tensors() {
        List<TensorKey> keys = new ArrayList<>();
        keys.add(TensorKey.weight(Role.EMBEDDING));
        for (int layer = 0; layer < layers; layer++) {
            keys.addAll(layerTensors(layer));
        }
        keys.add(TensorKey.weight(Role.FINAL_NORM));
        if (!tiedHead) {
            keys.add(TensorKey.weight(Role.HEAD));
        }
        return keys;
    }

    /** The weights and biases of one decoder layer. */
    public List<TensorKey> layerTensors(int layer) {
        List<TensorKey> keys = new ArrayList<>();
        for (Role role : Role.values()) {
            if (role.perLayer()) {
                keys.add(TensorKey.weight(role, layer));
                if (hasBias(role)) {
                    keys.add(TensorKey.bias(role, layer));
                }
            }
        }
        return keys;
    }

    /** Number of outputs of the module of {@code role}: rows of its weight. */
    public int rows(Role role) {
        return switch (role) {
            case EMBEDDING, HEAD -> vocabularySize;
            case ATTENTION_NORM, FEED_FORWARD_NORM, FINAL_NORM, ATTENTION_OUTPUT, DOWN -> hiddenSize;
            case QUERY -> attention.queryWidth();
            case KEY, VALUE -> attention.keyValueWidth();
            case GATE, UP -> feedForward.intermediateSize();
        };
    }

    /** Number of inputs of the matrix of {@code role}: columns of its weight. */
    public int columns(Role role) {
        return switch (role) {
            case EMBEDDING, HEAD, QUERY, KEY, VALUE, GATE, UP -> hiddenSize;
            case ATTENTION_OUTPUT -> attention.queryWidth();
            case DOWN -> feedForward.intermediateSize();
            case ATTENTION_NORM, FEED_FORWARD_NORM, FINAL_NORM ->
                throw new IllegalArgumentException(role + " is a vector");
        };
    }

    /** The shape {@code key}'s tensor must have: {@code [out, in]} of a matrix, {@code [out]} of a vector. */
    public long[] shape(TensorKey key) {
        return key.role().matrix() && key.part() == Part.WEIGHT
                ? new long[] {rows(key.role()), columns(key.role())}
                : new long[] {rows(key.role())};
    }

    /** How many numbers the model consists of; a tied head counts once. */
    public long parameters() {
        return tensors().stream()
                .map(this::shape)
                .mapToLong(shape -> shape.length == 2 ? Math.multiplyExact(shape[0], shape[1]) : shape[0])
                .reduce(0, Math::addExact);
    }
}
