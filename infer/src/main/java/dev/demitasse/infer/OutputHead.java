package dev.demitasse.infer;

import dev.demitasse.infer.linear.Linear;
import dev.demitasse.infer.linear.LinearInput;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;

/** The final norm and the projection onto the vocabulary. */
public final class OutputHead {
    private final RmsNorm norm;
    private final Linear head;
    private final Workers workers;

    private OutputHead(RmsNorm norm, Linear head, Workers workers) {
        this.norm = norm;
        this.head = head;
        this.workers = workers;
    }

    /** The head of the model, computed on the JVM's common pool. */
    public static OutputHead load(ModelConfig config, WeightSource source) {
        return load(config, source, Workers.COMMON);
    }

    static OutputHead load(ModelConfig config, WeightSource source, Workers workers) {
        return new OutputHead(
                RmsNorm.load(config, source, TensorKey.weight(Role.FINAL_NORM)),
                Linear.load(config, source, Role.HEAD, TensorKey.NO_LAYER),
                workers);
    }

    /** The final norm of {@code hidden [tokens, hiddenSize]}, in a new array. */
    public float[] normalize(float[] hidden, int tokens) {
        return norm.apply(hidden, tokens, workers);
    }

    /** Logits {@code [tokens, vocabularySize]} of normalized hidden states. */
    public float[] project(float[] normed, int tokens) {
        float[] logits = new float[Math.multiplyExact(tokens, head.outputs())];
        head.multiply(new LinearInput(normed, tokens, head.inputs()), logits, workers);
        return logits;
    }

    /** Logits {@code [tokens, vocabularySize]} of the last layer's {@code hidden [tokens, hiddenSize]}. */
    public float[] logits(float[] hidden, int tokens) {
        return project(normalize(hidden, tokens), tokens);
    }
}
