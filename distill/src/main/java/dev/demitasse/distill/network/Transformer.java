package dev.demitasse.distill.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TokenInput;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.Function;

/**
 * Any model that a {@link ModelConfig} describes, decoder or encoder: tokens in, logits and every hidden state out, all
 * of it differentiable.
 *
 * <p>Output: logits {@code [B, T, V]}, then L + 1 hidden states {@code [B, T, H]}: the embeddings, the output of each layer
 * but the last, and the last layer's after the final norm where there is one, as transformers'
 * {@code output_hidden_states} has them.
 *
 * <p>Rotary pairs are {@link Pairing#HALVES} and norms' weights whole: {@link SourceWeights} brings models to this form.
 */
public final class Transformer {
    private final ModelConfig config;
    private final NDManager manager;
    private final SequencedMap<TensorKey, NDArray> weights = new LinkedHashMap<>();
    private final Tables tables;

    /**
     * @param manager owns the weights and must outlive the model
     * @param source a float tensor for each of {@link ModelConfig#tensors}
     * @param trained whether gradients are wanted
     */
    public Transformer(NDManager manager, ModelConfig config, Function<TensorKey, Tensor> source, boolean trained) {
        for (int layer = 0; layer < config.layers(); layer++) {
            if (config.positions(layer) instanceof Rotary rotary && rotary.pairing() != Pairing.HALVES) {
                throw new IllegalArgumentException("the trainer rotates halves, not " + rotary);
            }
        }
        if (config.tensors().stream()
                .anyMatch(key -> key.role().norm() && config.norm(key).unitOffset())) {
            throw new IllegalArgumentException("the trainer's norms have their weights whole, not less 1");
        }
        this.config = config;
        this.manager = manager;
        tables = new Tables(manager, config.causal());
        for (TensorKey key : config.tensors()) {
            NDArray array = NativeTensors.load(manager, source.apply(key));
            array.setRequiresGradient(trained);
            weights.put(key, array);
        }
    }

    public ModelConfig config() {
        return config;
    }

    /** Every weight, in the order of {@link ModelConfig#tensors}. */
    public SequencedMap<TensorKey, NDArray> weights() {
        return Collections.unmodifiableSequencedMap(weights);
    }

    /** Runs sequences of equal length, {@code [B, T]}, without padding. */
    public NDList forward(int[][] ids) {
        return forward(Arrays.stream(ids).map(TokenInput::of).toList());
    }

    /** Runs sequences of equal length. */
    public NDList forward(List<TokenInput> inputs) {
        Batch batch = Batch.of(manager, config, inputs);
        tables.setTokens(batch.tokens());
        Pass pass = new Pass(config, weights, tables, batch);
        NDArray hidden = InputLayer.apply(pass);
        NDList states = new NDList(hidden);
        for (int layer = 0; layer < config.layers(); layer++) {
            hidden = new Layer(pass, layer).apply(hidden);
            states.add(hidden);
        }
        OutputLayer output = new OutputLayer(pass);
        NDArray last = output.finalNorm(hidden);
        states.set(config.layers(), last);
        return new NDList(output.logits(last)).addAll(states);
    }
}
