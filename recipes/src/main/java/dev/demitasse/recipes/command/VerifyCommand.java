package dev.demitasse.recipes.command;

import dev.demitasse.recipes.run.Verification;
import dev.demitasse.recipes.run.Verification.Outcome;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Compares checkpoints with another implementation's outputs, in every engine. */
@Command(
        name = "verify",
        mixinStandardHelpOptions = true,
        description = {
            "Compares a checkpoint with the golden.safetensors beside it (input_ids, logits, hidden_states and greedy"
                    + " text of another implementation) in the CPU runtime, in the trainer and as an ONNX graph.",
            "Prints the largest difference of each engine; exits 1 if one is too large."
        })
final class VerifyCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Parameters(paramLabel = "DIR", arity = "1..*", description = "Checkpoint folders with a golden.safetensors.")
    private List<Path> folders = List.of();

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        int failed = 0;
        int checks = 0;
        for (Path folder : folders) {
            for (Outcome outcome : Verification.of(folder)) {
                out.println(outcome);
                out.flush();
                checks++;
                failed += outcome.passed() ? 0 : 1;
            }
        }
        out.printf("%d checks, %d failed%n", checks, failed);
        out.flush();
        return failed == 0 ? 0 : Demitasse.CHECK_FAILED;
    }
}
