package dev.demitasse.recipes.command;

import dev.demitasse.infer.CpuOptions;
import dev.demitasse.infer.attention.CacheType;
import dev.demitasse.infer.packed.Kernels;
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
            names = "--kernels",
            paramLabel = "KERNELS",
            description =
                    "What multiplies block-quantized weights: ${COMPLETION-CANDIDATES}. 'auto' is the fastest here;"
                            + " 'exact' leaves inputs as floats, the others round them to 8 bits in blocks of 32. Default: exact"
                            + " where quality is measured, auto elsewhere.")
    private Optional<Kernels> kernels = Optional.empty();

    @Option(
            names = "--cache-type",
            paramLabel = "TYPE",
            defaultValue = "F32",
            description =
                    "What keys and values are kept in: f32, f16 (half the memory) or q8_0 (a quarter). Default: f32.")
    private CacheType cache = CacheType.F32;

    /** @param usually the kernels unless others are asked for */
    CpuOptions options(Kernels usually) {
        CpuOptions usual =
                CpuOptions.usual().withPinned(pinned).withCache(cache).withKernels(kernels.orElse(usually));
        return threads.map(usual::withThreads).orElse(usual);
    }
}
