package dev.demitasse.model;

import dev.demitasse.model.TensorKey.Part;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

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
    /** Far above any model, and low enough that a wrong number does not exhaust the memory. */
    private static final int MAXIMUM_LAYERS = 16_384;

    public ModelConfig {
        if (vocabularySize < 1 || hiddenSize < 1 || layers < 1 || maximumPositions < 1) {
            throw new IllegalArgumentException("vocab_size %d, hidden_size %d, layers %d, positions %d"
                    .formatted(vocabularySize, hiddenSize, layers, maximumPositions));
        }
        if (layers > MAXIMUM_LAYERS) {
            throw new IllegalArgumentException("%,d layers, over %,d".formatted(layers, MAXIMUM_LAYERS));
        }
        if (positions instanceof Positions.Rotary rotary && rotary.dimensions() > attention.headDimension()) {
            throw new IllegalArgumentException(
                    "%d rotary dimensions in heads of %d".formatted(rotary.dimensions(), attention.headDimension()));
        }
    }

    public ModelConfig withVocabularySize(int size) {
        return copy(fields -> fields.vocabularySize = size);
    }

    public ModelConfig withHiddenSize(int size) {
        return copy(fields -> fields.hiddenSize = size);
    }

    public ModelConfig withLayers(int count) {
        return copy(fields -> fields.layers = count);
    }

    public ModelConfig withAttention(Attention other) {
        return copy(fields -> fields.attention = other);
    }

    public ModelConfig withFeedForward(FeedForward other) {
        return copy(fields -> fields.feedForward = other);
    }

    public ModelConfig withPositions(Positions other) {
        return copy(fields -> fields.positions = other);
    }

    public ModelConfig withMaximumPositions(int count) {
        return copy(fields -> fields.maximumPositions = count);
    }

    public ModelConfig withTiedHead(boolean tied) {
        return copy(fields -> fields.tiedHead = tied);
    }

    public ModelConfig withSpecialTokens(SpecialTokens other) {
        return copy(fields -> fields.specialTokens = other);
    }

    private ModelConfig copy(Consumer<Fields> change) {
        Fields fields = new Fields(this);
        change.accept(fields);
        return fields.toConfig();
    }

    /** The components that a copy may change, while it is made. */
    private static final class Fields {
        private final Family family;
        private final Norm norm;
        private int vocabularySize;
        private int hiddenSize;
        private int layers;
        private Attention attention;
        private FeedForward feedForward;
        private Positions positions;
        private int maximumPositions;
        private boolean tiedHead;
        private SpecialTokens specialTokens;

        Fields(ModelConfig config) {
            family = config.family;
            norm = config.norm;
            vocabularySize = config.vocabularySize;
            hiddenSize = config.hiddenSize;
            layers = config.layers;
            attention = config.attention;
            feedForward = config.feedForward;
            positions = config.positions;
            maximumPositions = config.maximumPositions;
            tiedHead = config.tiedHead;
            specialTokens = config.specialTokens;
        }

        ModelConfig toConfig() {
            return new ModelConfig(
                    family,
                    vocabularySize,
                    hiddenSize,
                    layers,
                    attention,
                    feedForward,
                    norm,
                    positions,
                    maximumPositions,
                    tiedHead,
                    specialTokens);
        }
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
