package dev.demitasse.infer.parallel;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A fixed number of threads that wait for the next region of parallel work: spinning briefly, since a forward pass is a
 * quick succession of regions, then parked, so that an idle model costs nothing and a busy machine is not held up.
 * A region that arrives while another thread's is running runs on its caller alone.
 */
public final class WorkerPool implements Workers, AutoCloseable {
    /** About 20 µs: longer than the serial stretches between two regions of a forward pass. */
    private static final int SPINS = 1_000;

    private final ReentrantLock busy = new ReentrantLock();
    private final List<Worker> workers = new ArrayList<>();
    private volatile @Nullable Region current;
    private volatile boolean closed;

    /**
     * @param threads how many work at a region, its caller included
     */
    public WorkerPool(int threads) {
        for (int i = 1; i < threads; i++) {
            Worker worker = new Worker("demitasse-worker-" + i);
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
            Region region = new Region(parts, body);
            current = region;
            for (int i = 0; i < Math.min(workers.size(), parts - 1); i++) {
                workers.get(i).wake();
            }
            region.work();
            region.await();
        } finally {
            busy.unlock();
        }
    }

    @Override
    public void close() {
        closed = true;
        workers.forEach(LockSupport::unpark);
    }

    /** One call of {@link #run}: its parts are claimed one by one by whoever is free. */
    private static final class Region {
        private final int parts;
        private final IntConsumer body;
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger unfinished;
        private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

        Region(int parts, IntConsumer body) {
            this.parts = parts;
            this.body = body;
            this.unfinished = new AtomicInteger(parts);
        }

        void work() {
            for (int part = next.getAndIncrement(); part < parts; part = next.getAndIncrement()) {
                try {
                    if (failure.get() == null) {
                        body.accept(part);
                    }
                } catch (Throwable e) {
                    failure.compareAndSet(null, e);
                } finally {
                    unfinished.decrementAndGet();
                }
            }
        }

        void await() {
            for (int spin = 0; unfinished.get() > 0; spin++) {
                if (spin < SPINS) {
                    Thread.onSpinWait();
                } else {
                    Thread.yield();
                }
            }
            switch (failure.get()) {
                case null -> {}
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case Throwable e -> throw new IllegalStateException(e);
            }
        }
    }

    private final class Worker extends Thread {
        private volatile boolean parked;

        Worker(String name) {
            super(name);
            setDaemon(true);
        }

        void wake() {
            if (parked) {
                LockSupport.unpark(this);
            }
        }

        @Override
        public void run() {
            @Nullable Region last = null;
            while (!closed) {
                Region region = awaitNext(last);
                if (region != null) {
                    region.work();
                }
                last = region;
            }
        }

        private @Nullable Region awaitNext(@Nullable Region last) {
            for (int spin = 0; !closed; spin++) {
                Region region = current;
                if (region != last) {
                    return region;
                }
                if (spin < SPINS) {
                    Thread.onSpinWait();
                } else {
                    parked = true;
                    if (current == last && !closed) {
                        LockSupport.park(WorkerPool.this);
                    }
                    parked = false;
                }
            }
            return last;
        }
    }
}
