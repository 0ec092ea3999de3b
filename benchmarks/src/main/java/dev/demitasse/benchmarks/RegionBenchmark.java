package dev.demitasse.benchmarks;

import dev.demitasse.infer.parallel.WorkerPool;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.Blackhole;

/** What a region of parallel work costs beside its work: of some 150 regions a token, each should cost at most 1 µs. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class RegionBenchmark {
    /** Parts of a region: one a thread, or as many as a matrix has tiles. */
    @Param({"2", "86"})
    private int parts;

    /** Work of a part, in JMH's tokens of about a nanosecond. */
    @Param({"0", "1000"})
    private int work;

    private WorkerPool workers = new WorkerPool(1);

    @Setup(Level.Trial)
    public void start() {
        workers = new WorkerPool(Runtime.getRuntime().availableProcessors());
    }

    @TearDown(Level.Trial)
    public void end() {
        workers.close();
    }

    @Benchmark
    public void region() {
        workers.run(parts, part -> Blackhole.consumeCPU(work));
    }

    /** The same work by one thread, to compare with. */
    @Benchmark
    public void alone() {
        WorkerPool.CALLER.run(parts, part -> Blackhole.consumeCPU(work));
    }
}
