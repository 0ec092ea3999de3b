package dev.demitasse.recipes.command;

import dev.demitasse.infer.CpuOptions;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How a command's models use the machine. */
final class RuntimeArguments {
    @Option(
            names = {"-t", "--threads"},
            paramLabel = "T",
            description = "Threads that work at the model. Default: one for each core that the process may use.")
    private Optional<Integer> threads = Optional.empty();

    @Option(names = "--pin", description = "Keep each thread on a core of its own (Linux).")
    private boolean pinned;

    CpuOptions options() {
        CpuOptions usual = CpuOptions.usual().withPinned(pinned);
        return threads.map(usual::withThreads).orElse(usual);
    }
}
