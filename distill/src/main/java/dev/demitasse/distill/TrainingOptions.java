package dev.demitasse.distill;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.format.ScalarFormat;

/**
 * How to train.
 *
 * @param loss what is made small
 * @param learningRate the schedule's peak
 * @param warmupSteps steps until the peak
 * @param steps optimizer steps of the whole training
 * @param batch windows in one forward pass
 * @param accumulation forward passes whose gradients make one step
 * @param clip largest norm of the gradient
 * @param weightDecay of matrices; norms and biases do not decay
 * @param seed of window order and of new weights
 * @param checkpointEvery steps between two states from which training can go on; 0 for none
 * @param validateEvery steps between two looks at held-out windows; 0 for only before and after
 * @param format of the weights written: F32, F16 or BF16
 */
public record TrainingOptions(
        LossWeights loss,
        double learningRate,
        int warmupSteps,
        int steps,
        int batch,
        int accumulation,
        double clip,
        double weightDecay,
        long seed,
        int checkpointEvery,
        int validateEvery,
        ScalarFormat format) {
    /** β₁, β₂ and ε of AdamW, as language models are usually trained (arXiv:2302.13971 §2.3). */
    static final double BETA_1 = 0.9;

    static final double BETA_2 = 0.95;
    static final double EPSILON = 1e-8;

    public TrainingOptions {
        require(learningRate > 0 && Double.isFinite(learningRate), "learning_rate", "above 0", learningRate);
        require(steps > 0, "steps", "at least 1", steps);
        require(warmupSteps >= 0 && warmupSteps <= steps, "warmup", "between 0 and the number of steps", warmupSteps);
        require(batch > 0, "batch", "at least 1", batch);
        require(accumulation > 0, "accumulation", "at least 1", accumulation);
        require(clip > 0, "clip", "above 0", clip);
        require(weightDecay >= 0 && Double.isFinite(weightDecay), "weight_decay", "0 or more", weightDecay);
        require(checkpointEvery >= 0, "checkpoint_every", "0 or more", checkpointEvery);
        require(validateEvery >= 0, "validate_every", "0 or more", validateEvery);
        require(
                format == ScalarFormat.F32 || format == ScalarFormat.F16 || format == ScalarFormat.BF16,
                "format",
                "f32, f16 or bf16",
                format.id());
    }

    /** Batches of 8, a tenth of the steps for warm-up, norm 1, decay 0.1, a state every 50 steps, bfloat16. */
    public static TrainingOptions of(LossWeights loss, double learningRate, int steps) {
        return new TrainingOptions(
                loss, learningRate, steps / 10, steps, 8, 1, 1, 0.1, 0, 50, Math.max(1, steps / 10), ScalarFormat.BF16);
    }

    /** How many steps it takes to see {@code tokens} tokens, at least one. */
    public static int stepsFor(long tokens, int batch, int accumulation, int windowLength) {
        long perStep = Math.multiplyExact((long) batch * accumulation, (long) windowLength);
        return Math.toIntExact(Math.max(1, Math.ceilDiv(tokens, perStep)));
    }

    public TrainingOptions withBatch(int size, int passes) {
        return new TrainingOptions(
                loss,
                learningRate,
                warmupSteps,
                steps,
                size,
                passes,
                clip,
                weightDecay,
                seed,
                checkpointEvery,
                validateEvery,
                format);
    }

    public TrainingOptions withEvery(int checkpoint, int validation) {
        return new TrainingOptions(
                loss,
                learningRate,
                warmupSteps,
                steps,
                batch,
                accumulation,
                clip,
                weightDecay,
                seed,
                checkpoint,
                validation,
                format);
    }

    public TrainingOptions withFormat(ScalarFormat other) {
        return new TrainingOptions(
                loss,
                learningRate,
                warmupSteps,
                steps,
                batch,
                accumulation,
                clip,
                weightDecay,
                seed,
                checkpointEvery,
                validateEvery,
                other);
    }

    /** Windows that one step sees. */
    int windowsPerStep() {
        return Math.multiplyExact(batch, accumulation);
    }

    private static void require(boolean holds, String option, String expected, Object actual) {
        if (!holds) {
            throw new InvalidRequestException(option, "must be " + expected + ", is " + actual, "change it");
        }
    }
}
