package dev.demitasse.recipes.command;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.reference.Golden;
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
                    + " text of another implementation) in the CPU runtime, in the trainer, as an ONNX graph and as a GGUF file.",
            "Prints the largest difference of each engine; exits 1 if one is too large."
        })
final class VerifyCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Parameters(
            paramLabel = "DIR",
            arity = "1..*",
            description = "Checkpoint folders with a golden.safetensors; among several, those without are passed over.")
    private List<Path> folders = List.of();

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        int failed = 0;
        int checks = 0;
        PrintWriter err = spec.commandLine().getErr();
        for (Path folder : folders) {
            // A pattern as golden/* names what else lies there too.
            if (folders.size() > 1 && !Golden.isIn(folder)) {
                err.printf("%s has no %s: passed over%n", folder, Golden.FILE);
                continue;
            }
            for (Outcome outcome : Verification.of(folder)) {
                out.println(outcome);
                out.flush();
                checks++;
                failed += outcome.passed() ? 0 : 1;
            }
        }
        if (checks == 0) {
            throw new InvalidRequestException(
                    folders.getFirst(), "and the others have no " + Golden.FILE, "name a folder that has one");
        }
        out.printf("%d checks, %d failed%n", checks, failed);
        out.flush();
        return failed == 0 ? 0 : Demitasse.CHECK_FAILED;
    }
}
