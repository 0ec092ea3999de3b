package dev.demitasse.distill;

import dev.demitasse.model.Attention;
import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Residual;
import java.util.Optional;

/**
 * How much memory a training will take, before it starts: weights, gradients and AdamW's two moments of the student, the
 * teacher's weights, and the arrays of one forward and backward pass, all float32. An estimate, without the Java heap and
 * without what PyTorch's allocator keeps back.
 */
public final class TrainingMemory {
    private static final long BYTES = Float.BYTES;

    /** Arrays as large as the logits at the peak: each loss's own log-probabilities, and the way back through them. */
    private static final int LOGIT_ARRAYS = 9;

    private static final int TEACHER_LOGIT_ARRAYS = 6;

    private TrainingMemory() {}

    /**
     * @param teacher if one takes part
     * @param length tokens in a window
     * @return bytes at the peak
     */
    public static long estimate(
            ModelConfig student, Optional<ModelConfig> teacher, TrainingOptions options, int length) {
        long tokens = Math.multiplyExact((long) options.batch(), (long) length);
        long state = 4 * student.parameters();
        long pass = tokens * (perToken(student, length) + (long) LOGIT_ARRAYS * student.vocabularySize());
        long teacherWeights = 0;
        long teacherPass = 0;
        if (teacher.isPresent()) {
            ModelConfig config = teacher.get();
            teacherWeights = config.parameters();
            teacherPass = tokens * (perToken(config, length) + (long) TEACHER_LOGIT_ARRAYS * config.vocabularySize());
        }
        // The teacher's pass is over, but for its targets, when the student's begins.
        return BYTES * (state + teacherWeights + Math.max(pass, teacherPass));
    }

    /** Numbers that one token's way through all layers leaves, as {@link dev.demitasse.distill.network.Transformer} goes. */
    private static long perToken(ModelConfig config, int length) {
        long numbers = 0;
        for (int layer = 0; layer < config.layers(); layer++) {
            numbers += residual(config) + attention(config, layer, length) + neurons(config, config.feedForward(layer));
        }
        return numbers;
    }

    /** The stream, its parts and their norms. */
    private static long residual(ModelConfig config) {
        boolean sandwich = config.residual() == Residual.SANDWICH_NORM;
        return (sandwich ? 16L : 10L) * config.hiddenSize();
    }

    private static long attention(ModelConfig config, int layer, int length) {
        Attention attention = config.attention(layer);
        long width = attention.queryWidth() + (long) attention.keyValueWidth();
        long projected = 7L * attention.queryWidth() + 6L * attention.keyValueWidth();
        long normalized = attention.queryKeyNorm().isPresent() ? 3 * width : 0;
        long clipped = attention.clip().isPresent() ? width : 0;
        long scores = (attention.softCap().isPresent() ? 5L : 3L) * attention.heads() * length;
        return projected + normalized + clipped + scores;
    }

    private static long neurons(ModelConfig config, FeedForward form) {
        long each = switch (form.activation()) {
            case SILU -> 3;
            case GELU, RELU -> 2;
            case GELU_TANH -> 8;
        };
        long perNeuron = form.gated() ? each + 2 : each;
        if (form.experts().isEmpty()) {
            return perNeuron * form.intermediateSize();
        }
        Experts experts = form.experts().get();
        long gathered = 4L * experts.used() * config.hiddenSize();
        return gathered
                + 3L * experts.count()
                + perNeuron * ((long) experts.used() * form.intermediateSize() + experts.sharedSize());
    }
}
