package dev.demitasse.distill;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.model.Experts;
import dev.demitasse.model.FeedForward;
import dev.demitasse.model.ModelConfig;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class TrainingMemoryTest {
    private final ModelConfig student = TinyModels.config(64, 2, 512);
    private final TrainingOptions options = TrainingOptions.of(LossWeights.PRETRAIN, 1e-3, 10);

    /** Sixteen bytes a parameter (weight, gradient, two moments), and a pass in proportion to its windows. */
    @Test
    void isStatePlusWhatABatchTakes() {
        long state = 16 * student.parameters();
        long whole = TrainingMemory.estimate(student, Optional.empty(), options.withBatch(8, 1), 32) - state;
        long half = TrainingMemory.estimate(student, Optional.empty(), options.withBatch(4, 2), 32) - state;
        assertThat(half).isPositive();
        assertThat(whole).isEqualTo(2 * half);
    }

    @Test
    void countsATeacherOnce() {
        long alone = TrainingMemory.estimate(student, Optional.empty(), options, 32);
        long taught = TrainingMemory.estimate(student, Optional.of(student), options, 32);
        assertThat(taught - alone).isEqualTo(4 * student.parameters());
    }

    /** Experts that a token does not take cost their weights, but hardly anything in the pass. */
    @Test
    void countsTheExpertsThatATokenTakes() {
        long two = pass(new Experts(8, 2, true, 0));
        long four = pass(new Experts(8, 4, true, 0));
        long ofSixteen = pass(new Experts(16, 2, true, 0));
        assertThat(four).isGreaterThan(two);
        assertThat(ofSixteen - two).isBetween(0L, (four - two) / 10);
    }

    private long pass(Experts experts) {
        ModelConfig config = student.withFeedForward(FeedForward.experts(128, FeedForward.Activation.SILU, experts));
        return TrainingMemory.estimate(config, Optional.empty(), options, 32) - 16 * config.parameters();
    }
}
