package dev.demitasse.recipes.language;

import dev.demitasse.model.format.ScalarFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * How long and how fast pretraining and distilling learn.
 *
 * @param tokens how many tokens are learned from, repeats counted; this or {@code steps}
 * @param steps how many optimizer steps
 * @param learningRate the highest, reached after the warm-up; from there it falls by a cosine
 * @param warmup share of the steps in which the learning rate rises
 * @param batch windows in a forward pass
 * @param accumulation forward passes in a step
 * @param clip largest global norm of a gradient
 * @param weightDecay of matrices
 * @param validateEvery steps between two measurements with the validation text
 * @param checkpointEvery steps between two states that a killed run resumes from
 * @param format what the result's weights are stored in: F32, F16 or BF16
 */
public record TrainingSettings(
        Optional<Long> tokens,
        Optional<Long> steps,
        double learningRate,
        double warmup,
        int batch,
        int accumulation,
        double clip,
        double weightDecay,
        int validateEvery,
        int checkpointEvery,
        ScalarFormat format) {

    private static final long DEFAULT_TOKENS = 2_000_000;

    private static final Key<Long> TOKENS = Key.optional(
            "tokens",
            Kind.count(1, Long.MAX_VALUE),
            "how many tokens are learned from, repeats counted; without it and `steps`, 2M");
    private static final Key<Long> STEPS =
            Key.optional("steps", Kind.count(1, Long.MAX_VALUE), "how many optimizer steps, in place of `tokens`");
    private static final Key<Double> LEARNING_RATE = Key.of(
            "learning_rate", Kind.above(0), "3e-4", "the highest; it rises to it in the warm-up and falls by a cosine");
    private static final Key<Double> WARMUP =
            Key.of("warmup", Kind.share(), "0.05", "share of the steps in which the learning rate rises");
    private static final Key<Integer> BATCH = Key.of("batch", Kind.integer(1), "8", "windows in a forward pass");
    private static final Key<Integer> ACCUMULATION =
            Key.of("accumulation", Kind.integer(1), "1", "forward passes in an optimizer step");
    private static final Key<Double> CLIP =
            Key.of("clip", Kind.above(0), "1.0", "the gradient's global norm is cut to this");
    private static final Key<Double> WEIGHT_DECAY =
            Key.of("weight_decay", Kind.atLeast(0), "0.1", "AdamW's, of matrices; norms and biases have none");
    private static final Key<Integer> VALIDATE_EVERY =
            Key.of("validate_every", Kind.integer(1), "50", "steps between two looks at the validation text");
    private static final Key<Integer> CHECKPOINT_EVERY =
            Key.of("checkpoint_every", Kind.integer(1), "50", "steps between two states to resume from");

    private static final Key<ScalarFormat> FORMAT = Key.of(
            "format",
            Kind.choice(
                    new TreeMap<>(Map.of("bf16", ScalarFormat.BF16, "f16", ScalarFormat.F16, "f32", ScalarFormat.F32)),
                    "a format"),
            "bf16",
            "what the result's weights are stored in");

    static final List<Key<?>> KEYS = List.of(
            TOKENS,
            STEPS,
            LEARNING_RATE,
            WARMUP,
            BATCH,
            ACCUMULATION,
            CLIP,
            WEIGHT_DECAY,
            VALIDATE_EVERY,
            CHECKPOINT_EVERY,
            FORMAT);

    static TrainingSettings read(Fields fields) {
        boolean both = fields.has(TOKENS) && fields.has(STEPS);
        if (both && fields.overridden(TOKENS) == fields.overridden(STEPS)) {
            fields.wrong(STEPS, "stands beside tokens; there can be one of the two");
        }
        boolean inSteps = fields.has(STEPS) && !(both && fields.overridden(TOKENS));
        Optional<Long> steps = inSteps ? fields.find(STEPS) : Optional.empty();
        Optional<Long> tokens = inSteps ? Optional.empty() : Optional.of(fields.get(TOKENS, DEFAULT_TOKENS));
        return new TrainingSettings(
                tokens,
                steps,
                fields.get(LEARNING_RATE),
                fields.get(WARMUP),
                fields.get(BATCH),
                fields.get(ACCUMULATION),
                fields.get(CLIP),
                fields.get(WEIGHT_DECAY),
                fields.get(VALIDATE_EVERY),
                fields.get(CHECKPOINT_EVERY),
                fields.get(FORMAT));
    }

    /** Optimizer steps with windows of {@code length} tokens: a last, partial step counts. */
    public long steps(int length) {
        long each = Math.multiplyExact((long) batch * accumulation, (long) length);
        return steps.orElseGet(() -> Math.ceilDiv(tokens.orElse(DEFAULT_TOKENS), each));
    }

    /** Tokens learned from with windows of {@code length} tokens: whole steps. */
    public long tokens(int length) {
        return Math.multiplyExact(steps(length), Math.multiplyExact((long) batch * accumulation, (long) length));
    }
}
