package dev.demitasse.infer;

import dev.demitasse.infer.kernel.Activations;
import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.infer.kernel.HyperbolicTangent;
import dev.demitasse.infer.linear.Linear;
import dev.demitasse.infer.linear.LinearInput;
import dev.demitasse.infer.linear.Projections;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.FeedForward.Activation;
import dev.demitasse.model.Head;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.Optional;

/** From the last layer's hidden states to logits, as {@link Head} says. */
public final class OutputHead {
    private final Head form;
    private final Optional<Normalization> norm;
    private final Optional<Linear> projection;
    private final Optional<Transform> transform;
    private final Linear head;
    private final Workers workers;

    /** A masked-language-model head's own layer: norm(activation(dense(h))). */
    private record Transform(Linear dense, Activation activation, Normalization norm) {}

    private OutputHead(ModelConfig config, Projections source, Workers workers) {
        this.form = config.head();
        this.workers = workers;
        this.norm = form.norm()
                ? Optional.of(Normalization.load(config, source, Role.FINAL_NORM, TensorKey.NO_LAYER))
                : Optional.empty();
        this.projection = config.embedding().width() != config.hiddenSize()
                ? Optional.of(source.linear(Role.PROJECT_OUT))
                : Optional.empty();
        this.transform = form.transform()
                .map(activation -> new Transform(
                        source.linear(Role.HEAD_TRANSFORM),
                        activation,
                        Normalization.load(config, source, Role.HEAD_NORM, TensorKey.NO_LAYER)));
        this.head = source.linear(Role.HEAD);
    }

    /** The head of the model, computed on the JVM's common pool. */
    public static OutputHead load(ModelConfig config, WeightSource source) {
        return load(config, Projections.exact(config, source), Workers.COMMON);
    }

    static OutputHead load(ModelConfig config, Projections source, Workers workers) {
        return new OutputHead(config, source, workers);
    }

    /** The final norm of {@code hidden [tokens, hiddenSize]}, in a new array; a copy where the model has none. */
    public float[] normalize(float[] hidden, int tokens) {
        return norm.isPresent() ? norm.get().apply(hidden, tokens, workers) : hidden.clone();
    }

    /** Logits {@code [tokens, vocabularySize]} of normalized hidden states {@code [tokens, hiddenSize]}. */
    public float[] project(float[] normed, int tokens) {
        float[] states = normed;
        if (projection.isPresent()) {
            states = multiply(projection.get(), states, tokens);
        }
        if (transform.isPresent()) {
            Transform layer = transform.get();
            states = multiply(layer.dense, states, tokens);
            Activations.apply(layer.activation, states, 0, states.length);
            layer.norm.replace(states, tokens, workers);
        }
        float[] logits = multiply(head, states, tokens);
        if (form.scale() != 1) {
            Elementwise.scale(logits, 0, logits.length, (float) form.scale());
        }
        if (form.softCap().isPresent()) {
            HyperbolicTangent.softCap(
                    logits, 0, logits.length, (float) form.softCap().getAsDouble());
        }
        return logits;
    }

    private float[] multiply(Linear linear, float[] input, int tokens) {
        return linear.multiply(new LinearInput(input, tokens, linear.inputs()), workers);
    }

    /** Logits {@code [tokens, vocabularySize]} of the last layer's {@code hidden [tokens, hiddenSize]}. */
    public float[] logits(float[] hidden, int tokens) {
        return project(normalize(hidden, tokens), tokens);
    }
}
