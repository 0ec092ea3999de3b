package dev.demitasse.recipes.run;

import dev.demitasse.recipes.language.Gate;
import java.util.Optional;

/**
 * Whether a stage's result met a condition.
 *
 * @param stage whose result it is
 * @param gate the condition
 * @param value what was measured; NaN where it was not
 * @param passed whether it holds
 * @param culprits what hurt most, where the stage can tell
 */
public record GateResult(String stage, Gate gate, double value, boolean passed, Optional<String> culprits) {
    @Override
    public String toString() {
        return "%s: %s, is %s: %s%s"
                .formatted(
                        stage,
                        gate,
                        Double.isNaN(value) ? "not measured" : "%.4g".formatted(value),
                        passed ? "met" : "NOT MET",
                        culprits.map(text -> "; " + text).orElse(""));
    }
}
