package dev.demitasse.recipes.plan;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.recipes.language.DataEntry;
import dev.demitasse.recipes.language.TrainingSettings;
import java.util.Optional;

/**
 * About how much memory a stage takes at its peak. Mapped weights are not in it: the system gives their pages back when it
 * needs them. Sums of the large arrays only, in bytes; the rest is the constant that a JVM (and PyTorch) take anyway.
 */
final class MemoryEstimate {
    private static final long FLOAT = 4;
    private static final long JVM = 250L << 20;
    private static final long PYTORCH = 450L << 20;
    private static final long WRITE_BUFFERS = 32L << 20;
    private static final int DEFAULT_WINDOWS = 1024;

    private MemoryEstimate() {}

    /** Rows are copied a few megabytes at a time. */
    static long copying() {
        return JVM + WRITE_BUFFERS;
    }

    /**
     * Running a model over calibration text a layer at a time: the hidden states of all tokens before and after the layer,
     * the layer's weights as floats, and for GPTQ the second moments of its widest input in double, with their factor.
     */
    static long calibrating(Layout layout, Optional<DataEntry> calibration, boolean secondMoments) {
        ModelConfig config = layout.config();
        long tokens = calibration
                .map(entry -> (long) entry.length() * entry.samples().orElse(DEFAULT_WINDOWS))
                .orElse(0L);
        long widest = Math.max(config.hiddenSize(), config.feedForward().intermediateSize());
        long states = 2 * tokens * config.hiddenSize() * FLOAT;
        long moments = secondMoments ? 3 * widest * widest * Double.BYTES : 0;
        return JVM + states + 2 * layout.layerParameters() * FLOAT + moments;
    }

    /**
     * Training in float32: weights, gradients and AdamW's two moments; what autograd keeps of the forward pass; logits and
     * their gradient, and the same of the teacher without what autograd keeps.
     */
    static long training(ModelConfig student, Optional<ModelConfig> teacher, TrainingSettings settings, int length) {
        long tokens = (long) settings.batch() * length;
        long state = 4 * student.parameters() * FLOAT;
        long kept = tokens * student.layers() * activations(student, length) * FLOAT;
        long logits = 4 * tokens * student.vocabularySize() * FLOAT;
        long taught = teacher.map(config -> config.parameters() * FLOAT
                        + tokens * (long) config.hiddenSize() * (config.layers() + 4L) * FLOAT
                        + 3 * tokens * config.vocabularySize() * FLOAT)
                .orElse(0L);
        return JVM + PYTORCH + state + kept + logits + taught;
    }

    /** Floats that autograd keeps of one token in one layer: about 8 of hidden width, 4 neurons, scores twice, q k v. */
    private static long activations(ModelConfig config, int length) {
        return 8L * config.hiddenSize()
                + 4L * config.feedForward().intermediateSize()
                + 2L * config.attention().heads() * length
                + 3L * config.attention().queryWidth();
    }
}
