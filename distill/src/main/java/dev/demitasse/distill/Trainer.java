package dev.demitasse.distill;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.training.GradientCollector;
import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.datasets.WindowOrder;
import dev.demitasse.distill.TrainingReport.LossParts;
import dev.demitasse.distill.TrainingReport.StepPoint;
import dev.demitasse.distill.loss.CrossEntropy;
import dev.demitasse.distill.network.NativeTensors;
import dev.demitasse.distill.network.PyTorch;
import dev.demitasse.distill.network.SourceWeights;
import dev.demitasse.distill.network.Transformer;
import dev.demitasse.distill.optimize.AdamW;
import dev.demitasse.distill.optimize.Schedule;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.TokenInput;
import dev.demitasse.model.safetensors.CheckpointWriter;
import dev.demitasse.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A student, its teacher and its optimizer: takes steps, looks at held-out text, saves and restores itself. */
final class Trainer implements AutoCloseable {
    /** Held-out windows are numbered apart from those learnt from, and always the same. */
    private static final long FIRST_HELD_OUT = Long.MIN_VALUE;

    private final NDManager manager;
    private final LanguageTask task;
    private final TrainingOptions options;
    private final TokenWindows train;
    private final WindowOrder order;
    private final Transformer student;
    private final Optional<Teacher> teacher;
    private final Objective objective;
    private final AdamW optimizer;
    private final Schedule schedule;
    private long position;

    /** @param manager is closed with the trainer */
    Trainer(
            NDManager manager,
            SourceWeights start,
            Optional<Teacher> teacher,
            LanguageTask task,
            TokenWindows train,
            TrainingOptions options) {
        this.manager = manager;
        this.teacher = teacher;
        this.task = task;
        this.train = train;
        this.options = options;
        order = new WindowOrder(train.count(), options.seed());
        student = new Transformer(manager, start.config(), start.tensor(), true);
        objective =
                new Objective(manager, options.loss(), student.config(), teacher.map(Teacher::config), options.seed());
        // Offset 1: the first step moves already.
        schedule = new Schedule(options.learningRate(), options.warmupSteps(), options.steps(), 1);
        optimizer = new AdamW(new AdamW.Settings(
                TrainingOptions.BETA_1, TrainingOptions.BETA_2, TrainingOptions.EPSILON, options.weightDecay()));
        student.weights().forEach((key, weight) -> optimizer.add(name(key), weight, decays(key)));
        objective.addTo(optimizer);
    }

    private String name(TensorKey key) {
        return config().name(key);
    }

    private static boolean decays(TensorKey key) {
        return key.role().matrix() && key.part() == Part.WEIGHT;
    }

    ModelConfig config() {
        return student.config();
    }

    /** Optimizer steps taken so far. */
    int steps() {
        return optimizer.steps();
    }

    void save(Path folder, String job) throws IOException {
        SavedState.write(folder, job, position, optimizer);
    }

    void restore(Path folder, String job) throws IOException {
        position = SavedState.restore(folder, job, optimizer);
    }

    /** One optimizer step on the next windows. */
    StepPoint step() {
        int number = optimizer.steps() + 1;
        double learningRate = schedule.at(optimizer.steps());
        optimizer.clearGradients();
        LossParts sum = new LossParts(0, 0, 0, 0);
        try (GradientCollector collector = PyTorch.engine().newGradientCollector()) {
            for (int pass = 0; pass < options.accumulation(); pass++) {
                long first = position;
                sum = sum.plus(accumulate(collector, task.pose(nextBatch(), first)));
            }
        }
        LossParts loss = sum.dividedBy(options.accumulation());
        double norm = optimizer.gradientNorm();
        if (!Double.isFinite(loss.total()) || !Double.isFinite(norm)) {
            throw new InvalidRequestException(
                    "training step " + number,
                    "the loss is %s and its gradient's norm %s; both must be finite".formatted(loss.total(), norm),
                    "lower the learning rate, which is %s here, or warm up for longer".formatted(learningRate));
        }
        optimizer.step(learningRate, AdamW.clipCoefficient(norm, options.clip()));
        return new StepPoint(number, position * train.length(), learningRate, loss, norm);
    }

    private int[][] nextBatch() {
        int[][] batch = new int[options.batch()][];
        for (int i = 0; i < batch.length; i++) {
            batch[i] = train.window(order.at(position++));
        }
        return batch;
    }

    /** Adds the gradients of a batch, divided by the number of batches in a step, to those there are. */
    private LossParts accumulate(GradientCollector collector, LanguageTask.Exercise exercise) {
        try (NDScope scope = new NDScope()) {
            scope.suppressNotUsedWarning();
            List<TokenInput> inputs =
                    Arrays.stream(exercise.ids()).map(TokenInput::of).toList();
            Optional<Teacher.Targets> targets = teacher.map(model -> model.targets(inputs, options.loss()));
            CrossEntropy labels = CrossEntropy.of(manager, exercise.labels());
            NDList output = student.forward(inputs);
            Objective.Terms terms = objective.terms(output, labels, targets);
            collector.backward(
                    options.accumulation() == 1 ? terms.total() : terms.total().div((float) options.accumulation()));
            return terms.read();
        }
    }

    /** Cross-entropy per scored token of {@code windows}, in nats. */
    double validate(TokenWindows windows) {
        double sum = 0;
        long scored = 0;
        for (int from = 0; from < windows.count(); from += options.batch()) {
            int[][] batch = new int[Math.min(options.batch(), windows.count() - from)][];
            for (int i = 0; i < batch.length; i++) {
                batch[i] = windows.window(from + i);
            }
            LanguageTask.Exercise exercise = task.pose(batch, FIRST_HELD_OUT + from);
            try (PyTorch.Untraced untraced = PyTorch.untraced();
                    NDScope scope = new NDScope()) {
                scope.suppressNotUsedWarning();
                NDArray logits = student.forward(exercise.ids()).head();
                CrossEntropy labels = CrossEntropy.of(manager, exercise.labels());
                sum += labels.of(logits).getFloat() * (double) exercise.questions();
                scored += exercise.questions();
            }
        }
        return sum / Math.max(1, scored);
    }

    /** Writes the student as a checkpoint in the format asked for. */
    void write(Path output, Optional<Tokenizer> tokenizer) throws IOException {
        try (CheckpointWriter writer = CheckpointWriter.create(output, config(), tokenizer, key -> options.format());
                PyTorch.Untraced untraced = PyTorch.untraced()) {
            for (Map.Entry<TensorKey, NDArray> weight : student.weights().entrySet()) {
                try (Arena arena = Arena.ofConfined()) {
                    writer.write(weight.getKey(), NativeTensors.save(arena, name(weight.getKey()), weight.getValue()));
                }
            }
            writer.commit();
        }
    }

    @Override
    public void close() {
        manager.close();
    }
}
