package dev.demitasse.recipes.plan;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.recipes.language.Recipe;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * What a recipe will make and what that takes, stage by stage, without doing any of it.
 *
 * @param recipe what is planned
 * @param model what it starts from, if it starts from a model
 * @param stages in the order they run
 */
public record Plan(Recipe recipe, Optional<Model> model, List<PlannedStage> stages) {
    /**
     * The recipe's model.
     *
     * @param config its sizes
     * @param format that most weights are stored in
     * @param bytes of its weight files
     */
    public record Model(ModelConfig config, String format, long bytes) {}

    public Plan {
        stages = List.copyOf(stages);
    }

    /**
     * Plans {@code recipe}.
     *
     * @param model the recipe's model, where it has one
     * @throws dev.demitasse.model.InvalidRequestException if a stage cannot do to the model what the recipe says; tells
     *     all such, a line each
     */
    public static Plan of(Recipe recipe, Optional<Checkpoint> model) throws IOException {
        Optional<Layout> layout = model.map(Layout::of);
        List<PlannedStage> stages = new Planning(recipe, layout).stages();
        return new Plan(
                recipe,
                model.isPresent() && layout.isPresent()
                        ? Optional.of(new Model(
                                layout.get().config(),
                                layout.get().formatName(),
                                model.get().fileBytes()))
                        : Optional.empty(),
                stages);
    }

    /** The most memory that a stage takes, about. */
    public long memory() {
        return stages.stream().mapToLong(PlannedStage::memory).max().orElse(0);
    }

    /** Bytes that the results take on disk, all together. */
    public long bytes() {
        return stages.stream().mapToLong(PlannedStage::bytes).sum();
    }

    /** A table for people. */
    public String text() {
        return PlanText.of(this);
    }

    /** The same for machines. */
    public String json() {
        return PlanJson.of(this);
    }
}
