package dev.demitasse.infer;

import dev.demitasse.infer.attention.CacheType;
import dev.demitasse.model.InvalidRequestException;

/**
 * How a {@link CpuModel} uses the machine.
 *
 * @param threads how many work at a forward pass
 * @param pinned whether each but the caller's stays on a core of its own, where the system grants that
 * @param cache what sessions keep keys and values in; other than F32 it changes what is computed
 */
public record CpuOptions(int threads, boolean pinned, CacheType cache) {
    private static final int MOST_THREADS = 1024;

    public CpuOptions {
        if (threads < 1 || threads > MOST_THREADS) {
            throw new InvalidRequestException(
                    "threads", "are " + threads, "give 1 to %,d, best one a core".formatted(MOST_THREADS));
        }
    }

    /** A thread for each core that the process may use: those of its container or of its CPU mask, where it has one. */
    public static CpuOptions usual() {
        return new CpuOptions(Math.min(Runtime.getRuntime().availableProcessors(), MOST_THREADS), false, CacheType.F32);
    }

    public CpuOptions withThreads(int count) {
        return new CpuOptions(count, pinned, cache);
    }

    public CpuOptions withPinned(boolean wanted) {
        return new CpuOptions(threads, wanted, cache);
    }

    public CpuOptions withCache(CacheType type) {
        return new CpuOptions(threads, pinned, type);
    }
}
