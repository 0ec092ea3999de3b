package dev.demitasse.recipes.command;

import dev.demitasse.recipes.plan.Plan;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says what a recipe would do. */
@Command(
        name = "plan",
        mixinStandardHelpOptions = true,
        description =
                "Says what a recipe would do, without doing it: stages, sizes of what they make, memory they need.")
final class PlanCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private RecipeArguments recipe = new RecipeArguments();

    @Option(names = "--json", description = "For machines.")
    private boolean json;

    @Override
    public Integer call() throws Exception {
        PrintWriter screen = spec.commandLine().getOut();
        Plan plan = recipe.plan(recipe.read());
        screen.println(json ? plan.json() : plan.text());
        screen.flush();
        return 0;
    }
}
