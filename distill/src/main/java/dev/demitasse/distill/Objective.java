package dev.demitasse.distill;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.demitasse.distill.TrainingReport.LossParts;
import dev.demitasse.distill.loss.CrossEntropy;
import dev.demitasse.distill.loss.HiddenError;
import dev.demitasse.distill.loss.LogProbabilities;
import dev.demitasse.distill.loss.SoftTargets;
import dev.demitasse.distill.optimize.AdamW;
import dev.demitasse.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The loss of {@link LossWeights} with what it learns itself: where the student's width is not the teacher's, one linear
 * map for each pair of hidden states.
 */
final class Objective {
    private final LossWeights weights;
    private final int[] teacherStates;
    private final List<Projection> projections = new ArrayList<>();

    /** Student width to teacher width: {@code weight [teacherWidth, studentWidth]}, {@code bias [teacherWidth]}. */
    private record Projection(NDArray weight, NDArray bias) {}

    Objective(NDManager manager, LossWeights weights, ModelConfig student, Optional<ModelConfig> teacher, long seed) {
        this.weights = weights;
        if (teacher.isEmpty() || weights.hidden() == 0) {
            teacherStates = new int[0];
            return;
        }
        teacherStates =
                LayerMapping.hiddenStates(student.layers(), teacher.get().layers());
        int from = student.hiddenSize();
        int to = teacher.get().hiddenSize();
        if (from != to) {
            for (int pair = 0; pair < teacherStates.length; pair++) {
                float[] values = new float[Math.multiplyExact(from, to)];
                StartingWeights.normal(values, 1 / Math.sqrt(from), seed, "projection." + pair);
                NDArray weight = manager.create(values, new Shape(to, from));
                NDArray bias = manager.zeros(new Shape(to));
                weight.setRequiresGradient(true);
                bias.setRequiresGradient(true);
                projections.add(new Projection(weight, bias));
            }
        }
    }

    /** Has the projections trained. */
    void addTo(AdamW optimizer) {
        for (int pair = 0; pair < projections.size(); pair++) {
            optimizer.add("projection." + pair + ".weight", projections.get(pair).weight, true);
            optimizer.add("projection." + pair + ".bias", projections.get(pair).bias, false);
        }
    }

    /** The weighted sum, to differentiate, and its parts, to report; null where a part has no weight. */
    record Terms(
            NDArray total,
            @Nullable NDArray kl,
            @Nullable NDArray crossEntropy,
            @Nullable NDArray hidden) {
        LossParts read() {
            return new LossParts(number(total), number(kl), number(crossEntropy), number(hidden));
        }

        private static double number(@Nullable NDArray scalar) {
            return scalar == null ? 0 : scalar.getFloat();
        }
    }

    /**
     * @param output the student's logits and hidden states
     * @param labels of the text
     * @param targets of the teacher, if there is one
     */
    Terms terms(NDList output, CrossEntropy labels, Optional<Teacher.Targets> targets) {
        NDArray logits = output.head();
        Optional<SoftTargets> soft = targets.flatMap(Teacher.Targets::distributions);
        NDArray kl = soft.map(target -> target.divergence(logits)).orElse(null);
        NDArray crossEntropy =
                weights.crossEntropy() > 0 ? labels.ofLogProbabilities(LogProbabilities.of(logits)) : null;
        NDArray hidden = teacherStates.length == 0
                ? null
                : hiddenError(output, targets.orElseThrow().hiddenStates());
        NDArray total = add(
                add(weighted(kl, weights.kl()), weighted(crossEntropy, weights.crossEntropy())),
                weighted(hidden, weights.hidden()));
        if (total == null) {
            throw new IllegalStateException("a loss without parts: " + weights);
        }
        return new Terms(total, kl, crossEntropy, hidden);
    }

    private NDArray hiddenError(NDList output, List<NDArray> teacher) {
        NDList errors = new NDList();
        for (int pair = 0; pair < teacherStates.length; pair++) {
            NDArray ours = output.get(pair + 2);
            NDArray theirs = teacher.get(teacherStates[pair]);
            errors.add(
                    projections.isEmpty()
                            ? HiddenError.of(ours, theirs)
                            : HiddenError.of(ours, theirs, projections.get(pair).weight, projections.get(pair).bias));
        }
        NDArray sum = errors.head();
        for (NDArray error : errors.subNDList(1)) {
            sum = sum.add(error);
        }
        return sum.div((float) errors.size());
    }

    private static @Nullable NDArray weighted(@Nullable NDArray part, double weight) {
        return part == null ? null : part.mul((float) weight);
    }

    private static @Nullable NDArray add(@Nullable NDArray left, @Nullable NDArray right) {
        if (left == null || right == null) {
            return left == null ? right : left;
        }
        return left.add(right);
    }
}
