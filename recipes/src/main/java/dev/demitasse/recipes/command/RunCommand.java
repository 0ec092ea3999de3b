package dev.demitasse.recipes.command;

import dev.demitasse.recipes.language.Recipe;
import dev.demitasse.recipes.run.RecipeRunner;
import dev.demitasse.recipes.run.RecipeRunner.Outcome;
import dev.demitasse.recipes.store.RunFolder;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Runs a recipe. */
@Command(
        name = "run",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = {
            "Runs a recipe: its stages in order, a measurement after each, and a report at the end.",
            "What an earlier run finished is not done again; a run that was cut off goes on where it stood."
        })
final class RunCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private RecipeArguments recipeArguments = new RecipeArguments();

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "The run's folder. Default: runs/NAME, by the recipe's name.")
    private @Nullable Path out;

    @Override
    public Integer call() throws Exception {
        PrintWriter screen = spec.commandLine().getOut();
        Recipe recipe = recipeArguments.read();
        Path folder = out == null ? RunFolder.of(recipe) : out;
        screen.println(recipeArguments.plan(recipe).text());
        screen.flush();
        long start = System.nanoTime();
        Outcome outcome = RecipeRunner.run(
                recipe,
                folder,
                recipeArguments.location(),
                line -> {
                    screen.println(line);
                    screen.flush();
                },
                ProgressDisplay.onStandardError());
        if (outcome.nothingToDo()) {
            screen.printf(
                    "nothing to do: all %d stages are as the last run left them%n",
                    recipe.stages().size());
        } else {
            screen.printf(
                    "%d of %d stages done in %.0f s%n",
                    outcome.stagesDone(), recipe.stages().size(), (System.nanoTime() - start) / 1e9);
        }
        screen.printf("report: %s%n", folder.resolve("report.html"));
        if (!outcome.passed()) {
            screen.println("a gate was not met; what it guards was not built");
        }
        screen.flush();
        return outcome.passed() ? 0 : Demitasse.CHECK_FAILED;
    }
}
