package dev.demitasse.infer.linear;

import dev.demitasse.infer.kernel.Lanes;
import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.kernel.RowDecoder;
import dev.demitasse.infer.machine.CpuFeatures;
import dev.demitasse.infer.machine.ExecutableMemory;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.ScalarFormat;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;

/** Machine code of {@link TileCode}, written when a depth first occurs. */
final class EmittedTileKernel implements TileKernel {
    private static final Logger LOGGER = System.getLogger(EmittedTileKernel.class.getName());

    private record Shape(int depth, int vectors) {}

    /** Made when first asked for. */
    private static final class Emitted {
        static final Optional<EmittedTileKernel> INSTANCE = emit();
    }

    private final Map<Shape, MethodHandle> products = new ConcurrentHashMap<>();
    private final MethodHandle widening = ExecutableMemory.link(TileCode.widening(), TileCode.WIDENING);

    private EmittedTileKernel() {}

    /**
     * The kernel, if the CPU has AVX-512, the system lets code be written, and what the code computes of random numbers is to
     * the last bit what plain Java does. A line is logged otherwise.
     */
    static Optional<EmittedTileKernel> instance() {
        return Emitted.INSTANCE;
    }

    private static Optional<EmittedTileKernel> emit() {
        try {
            boolean panelsFit = Lanes.COUNT == TileCode.LANES;
            if (!panelsFit || !CpuFeatures.detect().avx512()) {
                return Optional.empty();
            }
            EmittedTileKernel kernel = new EmittedTileKernel();
            if (kernel.passes()) {
                return Optional.of(kernel);
            }
            LOGGER.log(Level.WARNING, "machine code for tiles of floats is off: it differs from plain Java");
        } catch (IllegalStateException e) {
            LOGGER.log(Level.WARNING, "machine code for tiles of floats is off: {0}", e.getMessage());
        }
        return Optional.empty();
    }

    @Override
    public void decode(Tensor matrix, int row, int column, int count, float[] target, int at) {
        int whole = count / TileCode.LANES;
        if (matrix.format() != ScalarFormat.F16 || whole == 0) {
            RowDecoder.decode(matrix, row, column, count, target, at);
            return;
        }
        long offset = row * matrix.rowBytes() + 2L * column;
        widen(matrix.data().asSlice(offset, 2L * count), whole, target, at);
        int done = whole * TileCode.LANES;
        RowDecoder.decode(matrix, row, column + done, count - done, target, at + done);
    }

    private void widen(MemorySegment halves, int vectors, float[] target, int at) {
        try {
            widening.invokeExact(
                    halves, (long) vectors, MemorySegment.ofArray(target).asSlice(4L * at));
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void add(
            float[] panels, int panelAt, int columns, float[] weights, int groups, int depth, float[] blocks, int at) {
        int vectors = Math.ceilDiv(columns, TileCode.LANES);
        MethodHandle product = products.computeIfAbsent(
                new Shape(depth, vectors),
                shape -> ExecutableMemory.link(TileCode.product(shape.depth, shape.vectors), TileCode.PRODUCT));
        try {
            product.invokeExact(
                    MemorySegment.ofArray(panels).asSlice(4L * panelAt),
                    MemorySegment.ofArray(weights),
                    (long) groups,
                    MemorySegment.ofArray(blocks).asSlice(4L * at));
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private boolean passes() {
        SplittableRandom random = new SplittableRandom(42);
        int depth = 37;
        int groups = 2;
        float[] panel = gaussian(random, depth * MatrixKernel.COLUMNS);
        float[] weights = gaussian(random, groups * MatrixKernel.ROWS * depth);
        float[] start = gaussian(random, groups * MatrixKernel.BLOCK);
        boolean same = true;
        for (int vectors = 1; vectors <= TileCode.VECTORS; vectors++) {
            float[] blocks = start.clone();
            add(panel, 0, vectors * TileCode.LANES, weights, groups, depth, blocks, 0);
            for (int i = 0; i < blocks.length; i++) {
                int column = i % MatrixKernel.COLUMNS;
                if (column < vectors * TileCode.LANES) {
                    float sum = 0;
                    for (int k = 0; k < depth; k++) {
                        float weight = weights[i / MatrixKernel.COLUMNS * depth + k];
                        sum = Math.fma(weight, panel[k * MatrixKernel.COLUMNS + column], sum);
                    }
                    same &= blocks[i] == sum + start[i];
                } else {
                    same &= blocks[i] == start[i];
                }
            }
        }
        return same && widensRight();
    }

    /** All float16 numbers; of NaNs, that they are some. */
    private boolean widensRight() {
        short[] halves = new short[1 << Short.SIZE];
        float[] expected = new float[halves.length];
        for (int i = 0; i < halves.length; i++) {
            halves[i] = (short) i;
            expected[i] = Float.float16ToFloat(halves[i]);
        }
        float[] floats = new float[halves.length];
        widen(MemorySegment.ofArray(halves), halves.length / TileCode.LANES, floats, 0);
        return Arrays.equals(floats, expected);
    }

    private static float[] gaussian(SplittableRandom random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
