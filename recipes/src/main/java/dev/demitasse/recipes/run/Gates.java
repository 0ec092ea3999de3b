package dev.demitasse.recipes.run;

import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.recipes.language.Gate;
import dev.demitasse.recipes.language.Stage;
import dev.demitasse.recipes.run.StageDetails.TensorError;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/** Holds measured figures against a recipe's conditions. */
final class Gates {
    private static final int CULPRITS = 3;

    private Gates() {}

    /**
     * @param scores what was measured of each model, by id
     * @param details what the stage told of itself
     */
    static List<GateResult> check(Stage stage, Map<String, Scores> scores, Optional<StageDetails> details) {
        List<GateResult> results = new ArrayList<>();
        for (Gate gate : stage.gates()) {
            double value = value(
                    gate,
                    scores.get(stage.id()),
                    gate.against().map(scores::get).orElse(null));
            boolean passed = gate.passes(value);
            results.add(new GateResult(
                    stage.id(), gate, value, passed, passed ? Optional.empty() : details.flatMap(Gates::culprits)));
        }
        return results;
    }

    private static double value(Gate gate, @Nullable Scores scores, @Nullable Scores other) {
        if (scores == null) {
            return Double.NaN;
        }
        return switch (gate.measure()) {
            case PERPLEXITY -> perplexity(scores);
            case PERPLEXITY_RATIO -> ratio(scores, other, Gates::perplexity);
            case BITS_PER_BYTE ->
                scores.quality() == null ? Double.NaN : scores.quality().bitsPerByte();
            case KL -> divergence(scores, gate, Divergence::meanKl);
            case KL_MEDIAN ->
                divergence(scores, gate, divergence -> divergence.klSpread().median());
            case KL_99 -> divergence(scores, gate, Divergence::p99Kl);
            case KL_MAX ->
                divergence(scores, gate, divergence -> divergence.klSpread().largest());
            case TOP1 -> divergence(scores, gate, Divergence::top1Agreement);
            case RMS_PROBABILITY ->
                divergence(
                        scores, gate, divergence -> divergence.rmsProbability().value());
            case SIZE -> scores.bytes();
            case SIZE_RATIO -> ratio(scores, other, Scores::bytes);
            case SPEED -> decode(scores);
            case SPEED_RATIO -> ratio(scores, other, Gates::decode);
        };
    }

    private static double ratio(Scores scores, @Nullable Scores other, ToDoubleFunction<Scores> measure) {
        return other == null ? Double.NaN : measure.applyAsDouble(scores) / measure.applyAsDouble(other);
    }

    private static double perplexity(Scores scores) {
        return scores.quality() == null ? Double.NaN : scores.quality().perplexity();
    }

    private static double decode(Scores scores) {
        return scores.speed() == null ? Double.NaN : scores.speed().decode();
    }

    private static double divergence(Scores scores, Gate gate, ToDoubleFunction<Divergence> measure) {
        @Nullable
        Divergence divergence = scores.divergences().get(gate.against().orElseThrow());
        return divergence == null ? Double.NaN : measure.applyAsDouble(divergence);
    }

    /** The tensors whose rounding cost most. */
    private static Optional<String> culprits(StageDetails details) {
        List<String> worst = details.errors().stream()
                .sorted(Comparator.comparingDouble(Gates::cost).reversed())
                .limit(CULPRITS)
                .map(error -> "%s (%.2g)".formatted(error.tensor(), cost(error)))
                .toList();
        return worst.isEmpty() ? Optional.empty() : Optional.of("largest errors: " + String.join(", ", worst));
    }

    private static double cost(TensorError error) {
        return error.outputError() == null ? error.weightError() : error.outputError();
    }
}
