package dev.demitasse.benchmarks;

import dev.demitasse.infer.attention.AttentionHeads;
import dev.demitasse.infer.attention.CacheType;
import dev.demitasse.infer.attention.LayerCache;
import dev.demitasse.infer.attention.TilePool;
import dev.demitasse.infer.parallel.WorkerPool;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Positions;
import java.util.Random;
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

/**
 * One layer's attention in the shape of TinyLlama 1.1B (32 heads, 4 of keys and values, 64 wide). A prompt of 512 takes
 * 2 · 512 · 513 · 2,048 multiply-adds; a token after 4,095 others reads 8.4 MB of keys and values in F32, 4.2 in F16, 2.4 in
 * Q8_0, from as many caches as the model has layers, so that they come from memory.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class AttentionBenchmark {
    private static final Attention SHAPE = Attention.of(32, 4, 64);
    private static final boolean[] ALL = {};

    @Param({"1", "2"})
    private int threads;

    @Param({"F32", "F16", "Q8_0"})
    private CacheType cache = CacheType.F32;

    /** Tokens at once, after so many others. */
    @Param({"512@0", "1@0", "1@4095", "8@4095"})
    private String tokens = "";

    private int count;
    private int depth;
    private int layer;
    private WorkerPool workers = new WorkerPool(1);
    private AttentionHeads heads = new AttentionHeads(SHAPE, new Positions.None(), true, workers, new TilePool());
    private final LayerCache[] layers = new LayerCache[22];
    private float[] queries = {};
    private float[] keys = {};

    @Setup(Level.Trial)
    public void start() {
        String[] parts = tokens.split("@", 2);
        count = Integer.parseInt(parts[0]);
        depth = Integer.parseInt(parts[1]);
        workers = new WorkerPool(threads);
        heads = new AttentionHeads(SHAPE, new Positions.None(), true, workers, new TilePool());
        queries = random(count * SHAPE.queryWidth());
        keys = random(count * SHAPE.keyValueWidth());
        float[] before = random(depth * SHAPE.keyValueWidth());
        for (int i = 0; i < layers.length; i++) {
            layers[i] = LayerCache.create(SHAPE, depth + count, cache);
            if (depth > 0) {
                heads.attend(new float[depth * SHAPE.queryWidth()], before, before, depth, layers[i], ALL);
            }
        }
    }

    private static float[] random(int count) {
        Random random = new Random(1);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    @TearDown(Level.Trial)
    public void end() {
        workers.close();
    }

    @Benchmark
    public float[] attend() {
        LayerCache next = layers[layer++ % layers.length];
        next.truncate(depth);
        return heads.attend(queries, keys, keys, count, next, ALL);
    }
}
