package dev.demitasse.infer.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class WorkerPoolTest {
    @Test
    void runsEveryPartOnceInEveryRegion() {
        try (WorkerPool pool = new WorkerPool(4)) {
            for (int region = 0; region < 2000; region++) {
                int parts = region % 9;
                AtomicIntegerArray runs = new AtomicIntegerArray(9);
                pool.run(parts, runs::incrementAndGet);
                for (int part = 0; part < 9; part++) {
                    assertThat(runs.get(part)).isEqualTo(part < parts ? 1 : 0);
                }
                if (region % 500 == 0) {
                    // Long enough for the threads to park.
                    LockSupport.parkNanos(3_000_000);
                }
            }
        }
    }

    @Test
    void passesOnWhatAPartThrows() {
        try (WorkerPool pool = new WorkerPool(2)) {
            assertThatThrownBy(() -> pool.run(8, part -> {
                        if (part == 5) {
                            throw new IllegalStateException("part five");
                        }
                    }))
                    .hasMessage("part five");
            AtomicIntegerArray runs = new AtomicIntegerArray(8);
            pool.run(8, runs::incrementAndGet);
            assertThat(runs.get(7)).isEqualTo(1);
        }
    }

    /** The caller has no parts left after the first, and parks until the others' long ones are done. */
    @Test
    void waitsForPartsThatTakeLong() {
        try (WorkerPool pool = new WorkerPool(3, true)) {
            for (int region = 0; region < 20; region++) {
                AtomicIntegerArray runs = new AtomicIntegerArray(5);
                Thread caller = Thread.currentThread();
                pool.run(5, part -> {
                    if (Thread.currentThread() != caller) {
                        LockSupport.parkNanos(2_000_000);
                    }
                    runs.incrementAndGet(part);
                });
                for (int part = 0; part < 5; part++) {
                    assertThat(runs.get(part)).isEqualTo(1);
                }
            }
        }
    }

    /** One gets the team, the others run their regions alone. */
    @Test
    void callersDoNotDisturbEachOther() throws InterruptedException {
        try (WorkerPool pool = new WorkerPool(3)) {
            LongAdder runs = new LongAdder();
            List<Thread> callers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                callers.add(Thread.ofPlatform().start(() -> {
                    for (int region = 0; region < 3000; region++) {
                        pool.run(7, part -> runs.increment());
                    }
                }));
            }
            for (Thread caller : callers) {
                caller.join();
            }
            assertThat(runs.sum()).isEqualTo(4 * 3000 * 7);
        }
    }

    @Test
    void aRegionWithinARegionRunsToo() {
        try (WorkerPool pool = new WorkerPool(3)) {
            AtomicIntegerArray runs = new AtomicIntegerArray(16);
            pool.run(4, outer -> pool.run(4, inner -> runs.incrementAndGet(outer * 4 + inner)));
            for (int i = 0; i < 16; i++) {
                assertThat(runs.get(i)).isEqualTo(1);
            }
        }
    }
}
