package dev.demitasse.distill;

import dev.demitasse.model.Attention;
import dev.demitasse.model.ModelConfig;
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
        Attention attention = config.attention();
        long residual = 10L * config.hiddenSize();
        long projected = 7L * attention.queryWidth() + 6L * attention.keyValueWidth();
        long scores = 3L * attention.heads() * length;
        long neurons = 5L * config.feedForward().intermediateSize();
        return config.layers() * (residual + projected + scores + neurons);
    }
}
