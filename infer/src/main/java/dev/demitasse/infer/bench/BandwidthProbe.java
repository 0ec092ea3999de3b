package dev.demitasse.infer.bench;

import dev.demitasse.infer.evaluate.Spread;
import dev.demitasse.infer.parallel.WorkerPool;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * How fast threads read memory together: sums over 256 MB, more than caches hold, in stretches that the threads take turns
 * at. What a decode step, which reads nearly all weights once, is to be compared with, and taken next to it, as virtual
 * machines' bandwidth comes and goes.
 */
public final class BandwidthProbe implements AutoCloseable {
    private static final int PARTS = 256;
    private static final int PASSES = 5;
    /** 1 MB. The loop over an array of longs is the one that runs fast soonest, and as fast as any. */
    private static final int LONGS = 1 << 17;

    private final long[][] memory;
    private final AtomicLongArray sums;
    private final WorkerPool workers;

    /**
     * @param threads how many read at a time
     */
    public BandwidthProbe(int threads) {
        this(threads, PARTS);
    }

    /**
     * @param megabytes how much is read
     */
    BandwidthProbe(int threads, int megabytes) {
        this.workers = new WorkerPool(threads);
        this.memory = new long[megabytes][LONGS];
        this.sums = new AtomicLongArray(megabytes);
        // Untouched pages would all be the one page of zeros, and come from the cache.
        workers.run(megabytes, part -> Arrays.fill(memory[part], part));
        bytesPerSecond();
        bytesPerSecond();
    }

    /** The median of a few passes over the memory: some 30 ms. */
    public double bytesPerSecond() {
        double[] rates = new double[PASSES];
        for (int pass = 0; pass < PASSES; pass++) {
            long start = System.nanoTime();
            workers.run(memory.length, part -> sums.lazySet(part, sum(memory[part])));
            double bytes = (double) memory.length * LONGS * Long.BYTES;
            rates[pass] = 1e9 * bytes / (System.nanoTime() - start);
        }
        return Spread.of(rates).median();
    }

    private static long sum(long[] values) {
        long sum = 0;
        for (long value : values) {
            sum += value;
        }
        return sum;
    }

    @Override
    public void close() {
        workers.close();
    }
}
