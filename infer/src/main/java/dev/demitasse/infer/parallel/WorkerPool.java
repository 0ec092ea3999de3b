package dev.demitasse.infer.parallel;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A fixed team of threads that wait for the next region of parallel work: spinning for a while, since a forward pass is a
 * quick succession of regions, then parked, so that an idle model costs nothing.
 *
 * <p>Parts are claimed by whoever is free, many at a time at first and one by one at the end (guided self-scheduling:
 * Polychronopoulos and Kuck, IEEE Trans. Computers C-36, 1987), so that a thread that another process slows down takes
 * fewer. A region is over when its parts are done, whether or not every thread came to it. Whoever waits longer than
 * {@value #SPIN_NANOS} ns gives its core away: where there are fewer free cores than threads, the one that is waited for
 * may need it. A region that arrives while another thread's is running runs on its caller alone.
 */
public final class WorkerPool implements Workers, AutoCloseable {
    /** Longer than the serial stretches of a forward pass and than most waits at a region's end. */
    private static final int SPIN_NANOS = 100_000;

    /** How often the next region is looked for before the clock is. */
    private static final int SPINS_A_LOOK = 64;

    /** Claims are of the parts that are left divided by this and by the number of threads. */
    private static final int CLAIMS_A_THREAD = 4;

    /** Counters lie this many longs apart, in cache lines (and the lines fetched with them) of their own. */
    private static final int APART = 16;

    /** The region's number in the upper half, its first unclaimed part in the lower. */
    private static final int CLAIMS = APART;

    private static final int UNFINISHED = 2 * APART;

    private static final int ANY_CORE = -1;

    private final ReentrantLock busy = new ReentrantLock();
    private final List<Worker> workers = new ArrayList<>();
    private final AtomicLongArray counters = new AtomicLongArray(4 * APART);
    private final int share;
    private int regions;
    private volatile @Nullable Region current;
    private volatile @Nullable Thread waiting;
    private volatile boolean closed;

    /**
     * @param threads how many work at a region, its caller included
     */
    public WorkerPool(int threads) {
        this(threads, false);
    }

    /**
     * @param threads how many work at a region, its caller included
     * @param pinned whether each thread of the team stays on a core of its own, where the system grants that and the process
     *     may use as many; the caller's thread is not the team's, and stays free
     */
    public WorkerPool(int threads, boolean pinned) {
        this.share = CLAIMS_A_THREAD * threads;
        Optional<CpuAffinity> affinity = pinned ? CpuAffinity.ofSystem() : Optional.empty();
        int[] cores = affinity.map(it -> it.allowed().stream().toArray()).orElseGet(() -> new int[0]);
        for (int i = 1; i < threads; i++) {
            int core = cores.length < threads ? ANY_CORE : cores[i];
            Worker worker = new Worker("demitasse-worker-" + i, affinity, core);
            workers.add(worker);
            worker.start();
        }
    }

    /** How many threads work at a region, its caller included. */
    public int threads() {
        return workers.size() + 1;
    }

    @Override
    public void run(int parts, IntConsumer body) {
        if (parts <= 1 || workers.isEmpty() || busy.isHeldByCurrentThread() || !busy.tryLock()) {
            CALLER.run(parts, body);
            return;
        }
        try {
            Region region = new Region(++regions, parts, body);
            counters.setOpaque(UNFINISHED, parts);
            counters.setRelease(CLAIMS, region.claim(0));
            current = region;
            for (int i = 0; i < Math.min(workers.size(), parts - 1); i++) {
                workers.get(i).wake();
            }
            work(region);
            await();
            region.rethrow();
        } finally {
            busy.unlock();
        }
    }

    @Override
    public void close() {
        closed = true;
        workers.forEach(LockSupport::unpark);
    }

    /** Claims parts of {@code region} and runs them until none is left. */
    private void work(Region region) {
        while (true) {
            long claimed = counters.get(CLAIMS);
            int from = region.unclaimed(claimed);
            if (from >= region.parts) {
                return;
            }
            int end = from + Math.max(1, (region.parts - from) / share);
            if (!counters.compareAndSet(CLAIMS, claimed, region.claim(end))) {
                continue;
            }
            region.run(from, end);
            if (counters.addAndGet(UNFINISHED, from - end) == 0) {
                @Nullable Thread caller = waiting;
                if (caller != null && caller != Thread.currentThread()) {
                    LockSupport.unpark(caller);
                }
            }
        }
    }

    /** Waits until all claimed parts are done. */
    private void await() {
        long start = 0;
        for (int spin = 1; counters.get(UNFINISHED) > 0; spin++) {
            Thread.onSpinWait();
            if (spin % SPINS_A_LOOK == 0) {
                long now = System.nanoTime();
                start = start == 0 ? now : start;
                if (now - start > SPIN_NANOS) {
                    park();
                }
            }
        }
    }

    private void park() {
        waiting = Thread.currentThread();
        while (counters.get(UNFINISHED) > 0) {
            LockSupport.park(this);
        }
        waiting = null;
    }

    /** One call of {@link #run}. */
    private static final class Region {
        private final int number;
        private final int parts;
        private final IntConsumer body;
        private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

        Region(int number, int parts, IntConsumer body) {
            this.number = number;
            this.parts = parts;
            this.body = body;
        }

        /** What the counter of claims is when the parts before {@code next} are claimed. */
        long claim(int next) {
            return (long) number << Integer.SIZE | next;
        }

        /** The first part that is not claimed; the number of parts if this region is over. */
        int unclaimed(long claims) {
            return (int) (claims >>> Integer.SIZE) == number ? (int) claims : parts;
        }

        void run(int from, int end) {
            try {
                for (int part = from; part < end && failure.getOpaque() == null; part++) {
                    body.accept(part);
                }
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
            }
        }

        void rethrow() {
            switch (failure.get()) {
                case null -> {}
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case Throwable e -> throw new IllegalStateException(e);
            }
        }
    }

    private final class Worker extends Thread {
        private final Optional<CpuAffinity> affinity;
        private final int core;
        private volatile boolean parked;

        Worker(String name, Optional<CpuAffinity> affinity, int core) {
            super(name);
            this.affinity = affinity;
            this.core = core;
            setDaemon(true);
        }

        void wake() {
            if (parked) {
                LockSupport.unpark(this);
            }
        }

        @Override
        public void run() {
            if (core != ANY_CORE) {
                affinity.ifPresent(it -> it.pin(core));
            }
            @Nullable Region last = null;
            while (!closed) {
                Region region = awaitNext(last);
                if (region != null) {
                    work(region);
                }
                last = region;
            }
        }

        private @Nullable Region awaitNext(@Nullable Region last) {
            long start = 0;
            for (int spin = 1; !closed; spin++) {
                Region region = current;
                if (region != last) {
                    return region;
                }
                Thread.onSpinWait();
                if (spin % SPINS_A_LOOK == 0) {
                    long now = System.nanoTime();
                    start = start == 0 ? now : start;
                    if (now - start > SPIN_NANOS) {
                        parked = true;
                        if (current == last && !closed) {
                            LockSupport.park(WorkerPool.this);
                        }
                        parked = false;
                        start = 0;
                    }
                }
            }
            return last;
        }
    }
}
