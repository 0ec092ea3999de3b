package dev.demitasse.distill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.distill.TrainingReport.StepPoint;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.progress.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingTest {
    private static final LossWeights DISTIL = new LossWeights(1, 0.2, 0.1, 2);

    @TempDir
    Path folder;

    private final TokenWindows train = TinyModels.windows(200, 24, 1);
    private final TokenWindows validation = TinyModels.windows(20, 24, 2);
    private Path teacher;
    private Path student;

    @BeforeEach
    void writeModels() throws IOException {
        teacher = TinyModels.write(folder.resolve("teacher"), TinyModels.config(32, 3), 1);
        student = TinyModels.write(folder.resolve("student"), TinyModels.config(16, 2), 2);
    }

    @Test
    void pretrainingLearnsTheText() throws IOException {
        TrainingOptions options =
                TrainingOptions.of(LossWeights.PRETRAIN, 1e-2, 120).withEvery(0, 40);

        TrainingReport report = Training.run(job("a", Optional.empty(), options), Progress.SILENT);

        // Three equally probable continuations: no model can do better than ln 3.
        assertThat(report.validationBefore().orElseThrow()).isCloseTo(Math.log(32), within(0.1));
        assertThat(report.validationAfter().orElseThrow()).isBetween(Math.log(3), 1.5);
        assertThat(report.validation()).extracting("step").containsExactly(0, 40, 80, 120);
        assertThat(report.steps()).hasSize(120);
        assertThat(report.steps().getLast().tokens()).isEqualTo(120 * 8 * 24);
        assertThat(report.steps().getFirst().learningRate()).isPositive();
    }

    /** The student sees no label: all it can come closer to the teacher by is the divergence and the hidden states. */
    @Test
    void distillingMovesTheStudentTowardsTheTeacher() throws IOException {
        TrainingOptions pretrain =
                TrainingOptions.of(LossWeights.PRETRAIN, 1e-2, 100).withFormat(ScalarFormat.F32);
        Training.run(
                new TrainingJob(
                        new Student.Existing(teacher),
                        Optional.empty(),
                        train,
                        Optional.empty(),
                        pretrain,
                        folder.resolve("taught"),
                        folder.resolve("work-teacher")),
                Progress.SILENT);
        teacher = folder.resolve("taught");
        double before = divergence(teacher, student);

        TrainingOptions options = TrainingOptions.of(new LossWeights(1, 0, 0.1, 2), 1e-2, 100);
        TrainingReport report = Training.run(job("a", Optional.of(teacher), options), Progress.SILENT);

        assertThat(divergence(teacher, folder.resolve("out-a"))).isLessThan(0.2 * before);
        assertThat(report.steps().getLast().loss().hidden())
                .isLessThan(0.8 * report.steps().getFirst().loss().hidden());
    }

    /** Killed between two states and begun again, it ends with the same bytes and the same curve as in one go. */
    @Test
    void resumesExactly() throws IOException {
        TrainingOptions options =
                TrainingOptions.of(DISTIL, 1e-2, 20).withEvery(5, 4).withFormat(ScalarFormat.F32);
        TrainingReport straight = Training.run(job("straight", Optional.of(teacher), options), Progress.SILENT);

        TrainingJob interrupted = job("broken", Optional.of(teacher), options);
        assertThatThrownBy(() -> Training.run(interrupted, dyingAfter(12))).hasMessage("power cut");
        assertThat(folder.resolve("out-broken")).doesNotExist();
        Path unfinished = Files.writeString(folder.resolve("work-broken/.state.safetensors.1.part"), "half");
        TrainingReport resumed = Training.run(interrupted, Progress.SILENT);

        assertThat(resumed.resumedFrom()).isEqualTo(10);
        assertThat(folder.resolve("out-broken/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("out-straight/model.safetensors"));
        assertThat(folder.resolve("work-broken/curve.jsonl"))
                .hasSameTextualContentAs(folder.resolve("work-straight/curve.jsonl"));
        assertThat(resumed.steps()).isEqualTo(straight.steps());
        assertThat(resumed.validation()).isEqualTo(straight.validation());
        assertThat(folder.resolve("work-broken/state.safetensors")).doesNotExist();
        assertThat(unfinished).doesNotExist();
    }

    @Test
    void doesNotResumeAnotherJob() throws IOException {
        TrainingOptions options = TrainingOptions.of(DISTIL, 1e-2, 20).withEvery(5, 0);
        assertThatThrownBy(() -> Training.run(job("a", Optional.of(teacher), options), dyingAfter(12)))
                .hasMessage("power cut");

        TrainingOptions other = TrainingOptions.of(DISTIL, 2e-2, 20).withEvery(5, 0);
        TrainingReport report = Training.run(job("a", Optional.of(teacher), other), Progress.SILENT);

        assertThat(report.resumedFrom()).isZero();
        assertThat(report.steps()).hasSize(20);
    }

    /** Two batches of 4 make the same step as one of 8. */
    @Test
    void accumulatedGradientsAreThoseOfALargerBatch() throws IOException {
        TrainingOptions options =
                TrainingOptions.of(DISTIL, 1e-2, 5).withEvery(0, 0).withFormat(ScalarFormat.F32);
        TrainingReport whole =
                Training.run(job("whole", Optional.of(teacher), options.withBatch(8, 1)), Progress.SILENT);
        TrainingReport parts =
                Training.run(job("parts", Optional.of(teacher), options.withBatch(4, 2)), Progress.SILENT);

        for (int i = 0; i < 5; i++) {
            StepPoint expected = whole.steps().get(i);
            StepPoint actual = parts.steps().get(i);
            assertThat(actual.loss().total()).isCloseTo(expected.loss().total(), within(1e-4));
            assertThat(actual.gradientNorm()).isCloseTo(expected.gradientNorm(), within(1e-4));
        }
        try (Checkpoint left = Checkpoint.open(folder.resolve("out-whole"));
                Checkpoint right = Checkpoint.open(folder.resolve("out-parts"))) {
            for (TensorKey key : left.config().tensors()) {
                assertThat(right.tensor(key).toFloats())
                        .containsExactly(left.tensor(key).toFloats(), within(1e-3f));
            }
        }
    }

    @Test
    void namesBothVocabularies() throws IOException {
        teacher = TinyModels.write(folder.resolve("other"), TinyModels.config(32, 3, 40), 1);
        TrainingOptions options = TrainingOptions.of(DISTIL, 1e-2, 20);
        assertThatThrownBy(() -> Training.run(job("a", Optional.of(teacher), options), Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("40")
                .hasMessageContaining("32");
        assertThat(folder.resolve("out-a")).doesNotExist();
    }

    @Test
    void namesTheStepAtWhichTheLossIsLost() {
        TrainingOptions options = TrainingOptions.of(DISTIL, 1e30, 20);
        assertThatThrownBy(() -> Training.run(job("a", Optional.of(teacher), options), Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("training step 2")
                .hasMessageContaining("lower the learning rate");
        assertThat(folder.resolve("out-a")).doesNotExist();
    }

    @Test
    void refusesALossThatNeedsATeacherItDoesNotHave() {
        TrainingOptions options = TrainingOptions.of(DISTIL, 1e-2, 20);
        assertThatThrownBy(() -> Training.run(job("a", Optional.empty(), options), Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("teacher");
    }

    @Test
    void refusesWindowsLongerThanTheModel() {
        TrainingJob job = new TrainingJob(
                new Student.Existing(student),
                Optional.empty(),
                TinyModels.windows(10, 65, 1),
                Optional.empty(),
                TrainingOptions.of(LossWeights.PRETRAIN, 1e-2, 20),
                folder.resolve("out"),
                folder.resolve("work"));
        assertThatThrownBy(() -> Training.run(job, Progress.SILENT))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("65")
                .hasMessageContaining("64");
    }

    @Test
    void writesWhatTransformersWouldReadInTheFormatAskedFor() throws IOException {
        TrainingOptions options = TrainingOptions.of(LossWeights.PRETRAIN, 1e-2, 2);
        Training.run(job("a", Optional.empty(), options), Progress.SILENT);
        assertThat(Files.readString(folder.resolve("out-a/config.json"))).contains("\"torch_dtype\" : \"bfloat16\"");
        try (Checkpoint written = Checkpoint.open(folder.resolve("out-a"))) {
            assertThat(written.parametersByFormat()).containsOnlyKeys("bf16");
            assertThat(written.config()).isEqualTo(TinyModels.config(16, 2));
        }
    }

    private TrainingJob job(String name, Optional<Path> taughtBy, TrainingOptions options) {
        return new TrainingJob(
                new Student.Existing(student),
                taughtBy,
                train,
                Optional.of(validation),
                options,
                folder.resolve("out-" + name),
                folder.resolve("work-" + name));
    }

    /** Mean KL(teacher ‖ student) per token of held-out text, in nats, in double. */
    private double divergence(Path left, Path right) throws IOException {
        int[][] ids = new int[validation.count()][];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = validation.window(i);
        }
        try (Checkpoint one = Checkpoint.open(left);
                Checkpoint other = Checkpoint.open(right)) {
            float[] p = TrainedModel.forward(one, ids).logits();
            float[] q = TrainedModel.forward(other, ids).logits();
            int vocabulary = TinyModels.VOCABULARY;
            double sum = 0;
            for (int at = 0; at < p.length; at += vocabulary) {
                double pNorm = logSum(p, at, vocabulary);
                double qNorm = logSum(q, at, vocabulary);
                for (int i = at; i < at + vocabulary; i++) {
                    sum += Math.exp(p[i] - pNorm) * (p[i] - pNorm - q[i] + qNorm);
                }
            }
            return sum / (p.length / vocabulary);
        }
    }

    private static double logSum(float[] logits, int at, int count) {
        double sum = 0;
        for (int i = at; i < at + count; i++) {
            sum += Math.exp(logits[i]);
        }
        return Math.log(sum);
    }

    private static Progress dyingAfter(int steps) {
        return new Progress() {
            private int notes;

            @Override
            public void begin(String task, long count, String unit) {}

            @Override
            public void advance(long count) {}

            @Override
            public void note(String text) {
                if (++notes == steps) {
                    throw new IllegalStateException("power cut");
                }
            }

            @Override
            public void end() {}
        };
    }
}
