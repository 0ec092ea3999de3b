package dev.demitasse.infer;

import dev.demitasse.infer.attention.CacheType;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.model.InvalidRequestException;

/**
 * How a {@link CpuModel} uses the machine. Nothing but {@code kernels} and {@code cache} changes what it computes.
 *
 * @param threads how many work at a forward pass
 * @param kernels what multiplies block-quantized weights
 * @param pinned whether each but the caller's stays on a core of its own, where the system grants that
 * @param cache what sessions keep keys and values in
 */
public record CpuOptions(int threads, Kernels kernels, boolean pinned, CacheType cache) {
    private static final int MOST_THREADS = 1024;

    public CpuOptions {
        if (threads < 1 || threads > MOST_THREADS) {
            throw new InvalidRequestException(
                    "threads", "are " + threads, "give 1 to %,d, best one a core".formatted(MOST_THREADS));
        }
    }

    /**
     * A thread for each core that the process may use: those of its container or of its CPU mask, where it has one; inputs as
     * floats, so that what is measured is the weights alone.
     */
    public static CpuOptions usual() {
        int cores = Math.min(Runtime.getRuntime().availableProcessors(), MOST_THREADS);
        return new CpuOptions(cores, Kernels.EXACT, false, CacheType.F32);
    }

    public CpuOptions withThreads(int count) {
        return new CpuOptions(count, kernels, pinned, cache);
    }

    public CpuOptions withKernels(Kernels wanted) {
        return new CpuOptions(threads, wanted, pinned, cache);
    }

    public CpuOptions withPinned(boolean wanted) {
        return new CpuOptions(threads, kernels, wanted, cache);
    }

    public CpuOptions withCache(CacheType type) {
        return new CpuOptions(threads, kernels, pinned, type);
    }
}
