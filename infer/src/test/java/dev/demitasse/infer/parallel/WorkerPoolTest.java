package dev.demitasse.infer.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicIntegerArray;
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
