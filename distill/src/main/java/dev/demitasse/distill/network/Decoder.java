package dev.demitasse.distill.network;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import dev.demitasse.model.Attention;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Norm;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A decoder as one block: token ids in, logits and every hidden state out, all of it differentiable.
 *
 * <p>Input: ids {@code [B, T]}, int64. Output: logits {@code [B, T, V]}, then L + 1 hidden states {@code [B, T, H]}: the
 * embeddings, the output of each layer but the last, and the last layer's after the final norm, as transformers'
 * {@code output_hidden_states} has them.
 *
 * <p>Rotary pairs are {@link Pairing#HALVES}: {@link SourceWeights} reorders the rows of models that pair otherwise.
 *
 * <p>Query heads of one group stand as further rows of one matrix, {@code [B, G, heads/G · T, D]}, so that keys and values
 * are never repeated.
 */
public final class Decoder extends AbstractBlock {
    private static final byte VERSION = 1;

    private final ModelConfig config;
    private final NDManager manager;
    private final SequencedMap<TensorKey, Parameter> weights = new LinkedHashMap<>();
    private final ParameterStore store;
    private @Nullable Tables tables;

    /** What depends on the number of tokens alone. */
    private record Tables(int tokens, RotaryTable query, RotaryTable key, NDArray mask) {
        void close() {
            for (NDArray array : new NDArray[] {query.cosine(), query.sine(), key.cosine(), key.sine(), mask}) {
                array.close();
            }
        }
    }

    /**
     * @param manager owns the weights and must outlive the decoder
     * @param source a float tensor for each of {@link ModelConfig#tensors}
     * @param trained whether gradients are wanted
     */
    public Decoder(NDManager manager, ModelConfig config, Function<TensorKey, Tensor> source, boolean trained) {
        super(VERSION);
        if (!(config.positions() instanceof Rotary rotary) || rotary.pairing() != Pairing.HALVES) {
            throw new IllegalArgumentException("the trainer rotates halves, not " + config.positions());
        }
        this.config = config;
        this.manager = manager;
        this.store = new ParameterStore(manager, false);
        for (TensorKey key : config.tensors()) {
            Parameter parameter = addParameter(Parameter.builder()
                    .setName(config.name(key))
                    .setType(Parameter.Type.OTHER)
                    .optRequiresGrad(trained)
                    .build());
            NDArray array = NativeTensors.load(manager, source.apply(key));
            parameter.setArray(array);
            array.setRequiresGradient(trained);
            weights.put(key, parameter);
        }
    }

    public ModelConfig config() {
        return config;
    }

    /** Every weight, in the order of {@link ModelConfig#tensors}. */
    public SequencedMap<TensorKey, NDArray> weights() {
        SequencedMap<TensorKey, NDArray> arrays = new LinkedHashMap<>();
        weights.forEach((key, parameter) -> arrays.put(key, parameter.getArray()));
        return Collections.unmodifiableSequencedMap(arrays);
    }

    /** Runs the block on ids {@code [B, T]}. */
    public NDList forward(NDArray ids) {
        return forward(store, new NDList(ids), true);
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameters,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> parameterOptions) {
        NDArray ids = inputs.head();
        Pass pass = new Pass(parameters, ids.getDevice(), training, tables((int)
                ids.getShape().get(1)));
        NDArray embedding = pass.weight(TensorKey.weight(Role.EMBEDDING));
        NDArray hidden = ids.getNDArrayInternal()
                .embedding(ids, embedding, SparseFormat.DENSE)
                .head();
        NDList states = new NDList(hidden);
        for (int layer = 0; layer < config.layers(); layer++) {
            hidden = hidden.add(pass.attention(pass.norm(hidden, Role.ATTENTION_NORM, layer), layer));
            hidden = hidden.add(pass.feedForward(pass.norm(hidden, Role.FEED_FORWARD_NORM, layer), layer));
            states.add(hidden);
        }
        NDArray last = pass.norm(hidden, Role.FINAL_NORM, TensorKey.NO_LAYER);
        states.set(config.layers(), last);
        NDArray head = config.tiedHead() ? embedding : pass.weight(TensorKey.weight(Role.HEAD));
        return new NDList(last.getNDArrayInternal().linear(last, head, null).head()).addAll(states);
    }

    /** One forward pass: the weights it reads and the tables it shares among layers. */
    private final class Pass {
        private final ParameterStore parameters;
        private final Device device;
        private final boolean training;
        private final Tables tables;

        Pass(ParameterStore parameters, Device device, boolean training, Tables tables) {
            this.parameters = parameters;
            this.device = device;
            this.training = training;
            this.tables = tables;
        }

        NDArray weight(TensorKey key) {
            return parameters.getValue(weights.get(key), device, training);
        }

        NDArray linear(NDArray x, Role role, int layer) {
            @Nullable
            NDArray bias = config.hasBias(TensorKey.weight(role, layer)) ? weight(TensorKey.bias(role, layer)) : null;
            return x.getNDArrayInternal()
                    .linear(x, weight(TensorKey.weight(role, layer)), bias)
                    .head();
        }

        NDArray norm(NDArray x, Role role, int layer) {
            NDArray weight = weight(new TensorKey(role, TensorKey.Part.WEIGHT, layer));
            return switch (config.norm()) {
                case Norm.Rms rms ->
                    x.mul(x.square()
                                    .mean(new int[] {-1}, true)
                                    .add(rms.epsilon())
                                    .pow(-0.5))
                            .mul(weight);
                case Norm.Layer layered -> throw new IllegalArgumentException("layer norm");
            };
        }

        /** x {@code [B, T, H]}, normalised, to what attention adds to the residual stream. */
        NDArray attention(NDArray x, int layer) {
            Attention attention = config.attention();
            long batch = x.getShape().get(0);
            long tokens = x.getShape().get(1);
            int width = attention.headDimension();
            long groups = attention.keyValueHeads();
            NDArray query = tables.query
                    .rotate(heads(linear(x, Role.QUERY, layer), attention.heads()))
                    .reshape(batch, groups, attention.groupSize() * tokens, width);
            NDArray key = tables.key.rotate(heads(linear(x, Role.KEY, layer), groups));
            NDArray value = heads(linear(x, Role.VALUE, layer), groups);
            NDArray probabilities =
                    query.matMul(key.transpose(0, 1, 3, 2)).add(tables.mask).softmax(-1);
            NDArray mixed = probabilities
                    .matMul(value)
                    .reshape(batch, attention.heads(), tokens, width)
                    .transpose(0, 2, 1, 3)
                    .reshape(batch, tokens, attention.queryWidth());
            return linear(mixed, Role.ATTENTION_OUTPUT, layer);
        }

        /** {@code [B, T, heads · D]} to {@code [B, heads, T, D]}. */
        private NDArray heads(NDArray x, long heads) {
            Shape shape = x.getShape();
            return x.reshape(
                            shape.get(0),
                            shape.get(1),
                            heads,
                            config.attention().headDimension())
                    .transpose(0, 2, 1, 3);
        }

        NDArray feedForward(NDArray x, int layer) {
            NDArray gate = linear(x, Role.GATE, layer);
            Activation activation = config.feedForward().activation();
            NDArray activated = switch (activation) {
                case SILU -> gate.mul(gate.getNDArrayInternal().sigmoid());
                case GELU, GELU_TANH, RELU -> throw new IllegalArgumentException("activation");
            };
            return linear(activated.mul(linear(x, Role.UP, layer)), Role.DOWN, layer);
        }
    }

    private Tables tables(int tokens) {
        Tables current = tables;
        if (current != null && current.tokens == tokens) {
            return current;
        }
        if (current != null) {
            current.close();
        }
        Attention attention = config.attention();
        Rotary rotary = (Rotary) config.positions();
        int width = attention.headDimension();
        RotaryTable query = RotaryTable.create(manager, rotary, width, tokens, 1 / Math.sqrt(width));
        RotaryTable key = RotaryTable.create(manager, rotary, width, tokens, 1);
        NDArray mask = AttentionMask.create(manager, attention.groupSize(), tokens, attention.slidingWindow());
        for (NDArray array : new NDArray[] {query.cosine(), query.sine(), key.cosine(), key.sine(), mask}) {
            NDScope.unregister(array);
        }
        Tables made = new Tables(tokens, query, key, mask);
        tables = made;
        return made;
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        long batch = inputShapes[0].get(0);
        long tokens = inputShapes[0].get(1);
        Shape[] shapes = new Shape[config.layers() + 2];
        java.util.Arrays.fill(shapes, new Shape(batch, tokens, config.hiddenSize()));
        shapes[0] = new Shape(batch, tokens, config.vocabularySize());
        return shapes;
    }
}
