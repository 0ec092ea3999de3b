package dev.demitasse.recipes.command;

import dev.demitasse.infer.CpuOptions;
import dev.demitasse.infer.attention.CacheType;
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

    @Option(
            names = "--cache-type",
            paramLabel = "TYPE",
            defaultValue = "F32",
            description = "What keys and values are kept in: f32, f16 (half the memory) or q8_0 (a quarter). Default: f32.")
    private CacheType cache = CacheType.F32;

    CpuOptions options() {
        CpuOptions usual = CpuOptions.usual().withPinned(pinned).withCache(cache);
        return threads.map(usual::withThreads).orElse(usual);
    }
}
