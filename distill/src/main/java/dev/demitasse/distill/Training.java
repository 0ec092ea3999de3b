package dev.demitasse.distill;

import ai.djl.ndarray.NDManager;
import dev.demitasse.distill.TrainingReport.StepPoint;
import dev.demitasse.distill.TrainingReport.ValidationPoint;
import dev.demitasse.distill.network.PyTorch;
import dev.demitasse.distill.network.SourceWeights;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Trains a student: against a teacher's distributions and hidden states (Hinton et al., arXiv:1503.02531; Jiao et al.,
 * arXiv:1909.10351), on the text alone, or both. Decoders learn to tell the next token, encoders those hidden in a text;
 * a teacher sees what its student sees, and its distributions are learnt at every token, as DistilBERT did
 * (arXiv:1910.01108, §2).
 *
 * <p>What is written at the end is the model after the last step, not the one that did best on held-out windows: the
 * schedule ends at rate 0, where the two hardly differ, and a choice would make the held-out figure an optimistic one.
 *
 * <p>A training that was interrupted goes on from the last state in its work folder, and ends with the same weights, bit for
 * bit, as one that was not; on another number of threads PyTorch adds in another order, and they differ by rounding.
 */
public final class Training {
    private final TrainingJob job;
    private final Progress progress;
    private OptionalDouble heldOut = OptionalDouble.empty();

    private Training(TrainingJob job, Progress progress) {
        this.job = job;
        this.progress = progress;
    }

    /**
     * Runs {@code job}, or what is left of it; {@link TrainingJob#output} is a checkpoint afterwards. One at a time in a
     * process.
     *
     * @throws InvalidRequestException if teacher and student do not fit, there is nothing to train on, or the loss stops
     *     being a number
     */
    public static TrainingReport run(TrainingJob job, Progress progress) throws IOException {
        return new Training(job, progress).run();
    }

    /** A trainer that is ready, and what was read on the way. */
    private record Prepared(Trainer trainer, Optional<Tokenizer> tokenizer, String fingerprint) {}

    private TrainingReport run() throws IOException {
        Prepared prepared = prepare();
        try (Trainer trainer = prepared.trainer) {
            trainer.restore(job.work(), prepared.fingerprint);
            int resumedFrom = trainer.steps();
            try (LossCurve curve = LossCurve.open(job.work(), resumedFrom)) {
                double seconds = train(trainer, curve, prepared.fingerprint);
                trainer.write(job.output(), prepared.tokenizer);
                SavedState.delete(job.work());
                long perStep =
                        (long) job.options().windowsPerStep() * job.train().length();
                return new TrainingReport(
                        curve.steps(),
                        curve.validation(),
                        perStep * trainer.steps(),
                        resumedFrom,
                        seconds,
                        perStep * (trainer.steps() - resumedFrom) / Math.max(seconds, 1e-9));
            }
        }
    }

    private Prepared prepare() throws IOException {
        boolean taught = job.teacher().isPresent() && job.options().loss().needsTeacher();
        if (job.options().loss().needsTeacher() && job.teacher().isEmpty()) {
            throw new InvalidRequestException(
                    "loss", "gives weight to a teacher, but there is none", "name a teacher or leave only ce");
        }
        NDManager manager = PyTorch.newManager();
        try (Source source = Source.open(job.student(), job.options().seed());
                Source teacher = taught ? Source.existing(job.teacher().orElseThrow()) : Source.none()) {
            Optional<Tokenizer> tokenizer = source.tokenizer().or(teacher::tokenizer);
            LanguageTask task = LanguageTask.of(
                    source.require().config(), tokenizer, job.options().seed());
            JobFingerprint fingerprint = new JobFingerprint()
                    .add(task.toString())
                    .add(job.options().toString())
                    .add(job.train().fingerprint())
                    .add(source.require());
            Optional<Teacher> model = Optional.empty();
            if (taught) {
                fingerprint.add(teacher.require());
                requireSameTask(teacher.require().config(), source.require().config());
                requireSameVocabulary(teacher, source);
                requireLength("teacher", teacher.require().config());
                model = Optional.of(new Teacher(manager, teacher.checkpoint().orElseThrow()));
            }
            requireLength("student", source.require().config());
            Trainer trainer = new Trainer(manager, source.require(), model, task, job.train(), job.options());
            return new Prepared(trainer, tokenizer, fingerprint.value());
        } catch (Throwable e) {
            manager.close();
            throw e;
        }
    }

    private void requireLength(String who, ModelConfig config) {
        int length = job.train().length();
        if (length > config.maximumPositions()) {
            throw new InvalidRequestException(
                    "length",
                    "windows of %,d tokens, but the %s was made for %,d"
                            .formatted(length, who, config.maximumPositions()),
                    "set a length of at most " + config.maximumPositions());
        }
    }

    private static void requireSameTask(ModelConfig teacher, ModelConfig student) {
        if (teacher.causal() != student.causal()) {
            throw new InvalidRequestException(
                    "teacher",
                    "is %s, the student %s".formatted(kind(teacher), kind(student)),
                    "a decoder knows what comes next, an encoder what is missing; take a teacher of the student's kind");
        }
    }

    private static String kind(ModelConfig config) {
        return config.causal() ? "a decoder" : "an encoder";
    }

    private static void requireSameVocabulary(Source teacher, Source student) {
        int theirs = teacher.require().config().vocabularySize();
        int ours = student.require().config().vocabularySize();
        if (theirs != ours) {
            throw new InvalidRequestException(
                    "teacher",
                    "has a vocabulary of %,d tokens, the student one of %,d".formatted(theirs, ours),
                    "distillation compares probabilities token by token; take a teacher with the student's tokenizer");
        }
        String sample = "Once upon a time, 3 naïve foxes said: \"Why not?\"";
        if (teacher.tokenizer().isPresent()
                && student.tokenizer().isPresent()
                && !Arrays.equals(
                        teacher.tokenizer().get().encode(sample),
                        student.tokenizer().get().encode(sample))) {
            throw new InvalidRequestException(
                    "teacher",
                    "numbers its %,d tokens otherwise than the student does".formatted(theirs),
                    "distillation compares probabilities token by token; take a teacher with the student's tokenizer");
        }
    }

    private double train(Trainer trainer, LossCurve curve, String fingerprint) throws IOException {
        TrainingOptions options = job.options();
        long tokensPerStep = (long) options.windowsPerStep() * job.train().length();
        long start = System.nanoTime();
        progress.begin(
                options.loss().needsTeacher() ? "distilling" : "training", options.steps() * tokensPerStep, "tokens");
        progress.advance(trainer.steps() * tokensPerStep);
        if (trainer.steps() == 0) {
            validate(trainer, curve);
        } else {
            curve.validation().forEach(point -> heldOut = OptionalDouble.of(point.loss()));
        }
        while (trainer.steps() < options.steps()) {
            StepPoint point = trainer.step();
            curve.add(point);
            int done = trainer.steps();
            boolean last = done == options.steps();
            if (last || isDue(done, options.validateEvery())) {
                validate(trainer, curve);
            }
            if (!last && isDue(done, options.checkpointEvery())) {
                trainer.save(job.work(), fingerprint);
            }
            progress.note(describe(point));
            progress.advance(tokensPerStep);
        }
        progress.end();
        return (System.nanoTime() - start) / 1e9;
    }

    private static boolean isDue(int done, int every) {
        return every > 0 && done % every == 0;
    }

    private void validate(Trainer trainer, LossCurve curve) throws IOException {
        if (job.validation().isPresent()) {
            double loss = trainer.validate(job.validation().get());
            heldOut = OptionalDouble.of(loss);
            curve.add(new ValidationPoint(trainer.steps(), loss));
        }
    }

    private String describe(StepPoint point) {
        String text = String.format(Locale.ROOT, "loss %.3f", point.loss().total());
        if (heldOut.isPresent()) {
            text += String.format(Locale.ROOT, ", held out %.3f", heldOut.getAsDouble());
        }
        return text + String.format(Locale.ROOT, ", rate %.1e", point.learningRate());
    }

    /** Weights to start from with the checkpoint they are read from, which stays open until they are copied. */
    private record Source(
            Optional<SourceWeights> weights, Optional<Checkpoint> checkpoint, Optional<Tokenizer> tokenizer)
            implements AutoCloseable {
        static Source none() {
            return new Source(Optional.empty(), Optional.empty(), Optional.empty());
        }

        static Source existing(Path path) throws IOException {
            Checkpoint checkpoint = Checkpoint.open(path);
            return new Source(
                    Optional.of(SourceWeights.of(checkpoint)), Optional.of(checkpoint), checkpoint.tokenizer());
        }

        static Source open(Student student, long seed) throws IOException {
            return switch (student) {
                case Student.Existing existing -> existing(existing.checkpoint());
                case Student.Random random ->
                    new Source(
                            Optional.of(StartingWeights.random(random.config(), seed)),
                            Optional.empty(),
                            random.tokenizer());
                case Student.LayersOf layers -> {
                    Checkpoint checkpoint = Checkpoint.open(layers.source());
                    try {
                        SourceWeights weights = StartingWeights.layersOf(checkpoint, layers.config());
                        yield new Source(Optional.of(weights), Optional.of(checkpoint), checkpoint.tokenizer());
                    } catch (Throwable e) {
                        checkpoint.close();
                        throw e;
                    }
                }
            };
        }

        SourceWeights require() {
            return weights.orElseThrow();
        }

        @Override
        public void close() {
            checkpoint.ifPresent(Checkpoint::close);
        }
    }
}
