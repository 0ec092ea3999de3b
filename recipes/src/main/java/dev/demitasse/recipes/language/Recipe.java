package dev.demitasse.recipes.language;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What to do to a model, read and checked.
 *
 * @param name of the run's folder
 * @param seed everything random follows from it
 * @param model what stages start from; empty where a stage makes the model
 * @param data the texts
 * @param evaluate when and how models are measured
 * @param stages in the order they run
 * @param file where it was read from
 * @param lock the recipe as YAML with overrides applied, defaults written out and paths absolute; reading it gives the
 *     same recipe
 */
public record Recipe(
        String name,
        long seed,
        Optional<ModelReference> model,
        Data data,
        Evaluate evaluate,
        List<Stage> stages,
        Path file,
        String lock) {

    /** What stages call the recipe's model. */
    public static final String MODEL = "model";

    public Recipe {
        stages = List.copyOf(stages);
    }

    /**
     * Reads a recipe.
     *
     * @param overrides {@code key=value} as given with {@code --set}, applied in order
     * @throws dev.demitasse.model.InvalidRequestException tells every mistake, a line each
     */
    public static Recipe read(Path file, List<String> overrides) throws IOException {
        return RecipeReader.read(file, overrides);
    }

    /** What results are compared with if nothing is said: the recipe's model, or where it has none, its first stage. */
    public String baseline() {
        return model.isPresent() ? MODEL : stages.getFirst().id();
    }

    /** The stage called {@code id}. */
    public Stage stage(String id) {
        return stages.stream()
                .filter(stage -> stage.id().equals(id))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no stage " + id));
    }
}
