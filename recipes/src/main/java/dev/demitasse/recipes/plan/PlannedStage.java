package dev.demitasse.recipes.plan;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.recipes.language.Stage;
import java.util.List;
import java.util.OptionalLong;

/**
 * What a stage will make and what it takes.
 *
 * @param stage the stage
 * @param description what it does, in a few words
 * @param config of the model that it makes
 * @param format that most weights will be stored in
 * @param bytes of all tensors of the result; names and metadata come on top
 * @param memory about how many bytes it takes at its peak, mapped weights apart
 * @param tokens that are learned from
 * @param notes what one may not expect
 */
public record PlannedStage(
        Stage stage,
        String description,
        ModelConfig config,
        String format,
        long bytes,
        long memory,
        OptionalLong tokens,
        List<String> notes) {
    public PlannedStage {
        notes = List.copyOf(notes);
    }
}
