package dev.demitasse.infer;

import dev.demitasse.model.InvalidRequestException;

/**
 * How a {@link CpuModel} uses the machine. Nothing in here changes what it computes.
 *
 * @param threads how many work at a forward pass
 * @param pinned whether each but the caller's stays on a core of its own, where the system grants that
 */
public record CpuOptions(int threads, boolean pinned) {
    private static final int MOST_THREADS = 1024;

    public CpuOptions {
        if (threads < 1 || threads > MOST_THREADS) {
            throw new InvalidRequestException(
                    "threads", "are " + threads, "give 1 to %,d, best one a core".formatted(MOST_THREADS));
        }
    }

    /** A thread for each core that the process may use: those of its container or of its CPU mask, where it has one. */
    public static CpuOptions usual() {
        return new CpuOptions(Math.min(Runtime.getRuntime().availableProcessors(), MOST_THREADS), false);
    }

    public CpuOptions withThreads(int count) {
        return new CpuOptions(count, pinned);
    }

    public CpuOptions withPinned(boolean wanted) {
        return new CpuOptions(threads, wanted);
    }
}
