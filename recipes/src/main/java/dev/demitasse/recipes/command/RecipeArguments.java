package dev.demitasse.recipes.command;

import dev.demitasse.model.Checkpoint;
import dev.demitasse.recipes.language.Recipe;
import dev.demitasse.recipes.plan.Plan;
import dev.demitasse.recipes.run.ModelLocation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** A recipe and what the command line changes in it. */
final class RecipeArguments {
    @Parameters(
            paramLabel = "RECIPE",
            description = "A recipe; recipes/*.yaml are some, docs/recipes.md tells all keys.")
    private Path file = Path.of("");

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = {
                "Changes a value of the recipe, as often as need be: --set model=hf:ORG/NAME, --set stages.heal.distill.tokens=1M.",
                "--set data.*=FILE lets all texts come from FILE, each from its own part of it."
            })
    private List<String> overrides = List.of();

    @Mixin
    private ModelSource source = new ModelSource();

    /** Reads the recipe; every mistake is told at once. */
    Recipe read() throws IOException {
        return Recipe.read(file, overrides);
    }

    /** Where the recipe's model comes from. */
    ModelLocation location() throws IOException {
        return source.location();
    }

    /** What {@code recipe} would do. */
    Plan plan(Recipe recipe) throws IOException {
        if (recipe.model().isEmpty()) {
            return Plan.of(recipe, Optional.empty());
        }
        try (Checkpoint model = Checkpoint.open(location().of(recipe.model().get()))) {
            return Plan.of(recipe, Optional.of(model));
        }
    }
}
