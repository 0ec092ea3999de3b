package dev.demitasse.infer.bench;

import dev.demitasse.infer.evaluate.Spread;
import dev.demitasse.infer.parallel.WorkerPool;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicLongArray;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * How fast threads read memory together: a sum over {@value #BYTES} bytes, more than caches hold, in stretches that the
 * threads take turns at. What a decode step, which reads nearly all weights once, is to be compared with, and taken next to
 * it, as virtual machines' bandwidth comes and goes.
 */
public final class BandwidthProbe implements AutoCloseable {
    private static final long BYTES = 512L << 20;
    private static final int PART = 1 << 20;
    private static final int PASSES = 5;
    private static final VectorSpecies<Byte> SPECIES = ByteVector.SPECIES_PREFERRED;
    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory = arena.allocate(BYTES, 64);
    private final int parts = (int) (BYTES / PART);
    private final AtomicLongArray sums = new AtomicLongArray(parts);
    private final WorkerPool workers;

    /**
     * @param threads how many read at a time
     */
    public BandwidthProbe(int threads) {
        this.workers = new WorkerPool(threads);
        // Untouched pages would all be the one page of zeros, and come from the cache.
        workers.run(parts, part -> memory.asSlice((long) part * PART, PART).fill((byte) part));
        bytesPerSecond();
        bytesPerSecond();
    }

    /** The median of a few passes over the memory: some 50 ms. */
    public double bytesPerSecond() {
        double[] rates = new double[PASSES];
        for (int pass = 0; pass < PASSES; pass++) {
            long start = System.nanoTime();
            workers.run(parts, part -> sums.lazySet(part, sum((long) part * PART)));
            rates[pass] = 1e9 * BYTES / (System.nanoTime() - start);
        }
        return Spread.of(rates).median();
    }

    private long sum(long from) {
        int step = SPECIES.length();
        ByteVector sum0 = ByteVector.zero(SPECIES);
        ByteVector sum1 = sum0;
        ByteVector sum2 = sum0;
        ByteVector sum3 = sum0;
        for (long at = from; at < from + PART; at += 4L * step) {
            sum0 = sum0.add(ByteVector.fromMemorySegment(SPECIES, memory, at, LITTLE));
            sum1 = sum1.add(ByteVector.fromMemorySegment(SPECIES, memory, at + step, LITTLE));
            sum2 = sum2.add(ByteVector.fromMemorySegment(SPECIES, memory, at + 2L * step, LITTLE));
            sum3 = sum3.add(ByteVector.fromMemorySegment(SPECIES, memory, at + 3L * step, LITTLE));
        }
        return sum0.add(sum1).add(sum2.add(sum3)).reinterpretAsLongs().lane(0);
    }

    @Override
    public void close() {
        workers.close();
        arena.close();
    }
}
