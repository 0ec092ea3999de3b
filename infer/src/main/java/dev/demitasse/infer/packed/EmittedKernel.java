package dev.demitasse.infer.packed;

import dev.demitasse.infer.machine.CpuFeatures;
import dev.demitasse.infer.machine.ExecutableMemory;
import dev.demitasse.model.format.BlockFormat;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Machine code of {@link ProductCode}, written when a layout and a number of tokens first occur. */
final class EmittedKernel implements PackedKernel {
    static final EmittedKernel INSTANCE = new EmittedKernel();

    private static final Logger LOGGER = System.getLogger(EmittedKernel.class.getName());
    private static final MemorySegment NOTHING = MemorySegment.ofArray(new int[16]);

    private record Shape(PackedLayout layout, int tokens) {}

    private record Function(MethodHandle handle, MemorySegment constants) {}

    private final boolean supported = supported();
    private final Map<PackedLayout, Boolean> checked = new ConcurrentHashMap<>();
    private final Map<Shape, Function> functions = new ConcurrentHashMap<>();

    /**
     * Whether matrices of a format can be multiplied here: the CPU has the instructions, the system lets code be written, and
     * what the code computes of random numbers is to the last bit what {@link ScalarKernel} does. A line is logged otherwise.
     */
    static boolean runs(BlockFormat format) {
        return INSTANCE.supported
                && PackedLayout.of(format, ProductCode.LANES)
                        .map(layout -> INSTANCE.checked.computeIfAbsent(layout, key -> INSTANCE.passes(format)))
                        .orElse(false);
    }

    private static boolean supported() {
        try {
            return CpuFeatures.detect().vnni();
        } catch (IllegalStateException e) {
            LOGGER.log(Level.WARNING, "kernels in machine code are off: {0}", e.getMessage());
            return false;
        }
    }

    private boolean passes(BlockFormat format) {
        try {
            boolean same = KernelCheck.agree(this, new ScalarKernel(), format);
            if (!same) {
                LOGGER.log(Level.WARNING, "machine code for {0} is off: it differs from plain Java", format.id());
            }
            return same;
        } catch (IllegalStateException e) {
            LOGGER.log(Level.WARNING, "machine code for {0} is off: {1}", format.id(), e.getMessage());
            return false;
        }
    }

    @Override
    public void multiply(
            PackedMatrix matrix,
            int firstGroup,
            int groups,
            BlockedInput input,
            int tile,
            float[] y,
            int at,
            int stride) {
        PackedLayout layout = matrix.layout();
        Function function = functions.computeIfAbsent(new Shape(layout, input.tokens(tile)), EmittedKernel::write);
        int parts = layout.parts();
        long first = input.first(tile);
        MemorySegment starts = layout.bias() == 0
                ? NOTHING
                : MemorySegment.ofArray(input.starts(layout.bias(), parts)).asSlice(4 * first * parts);
        MemorySegment offsets =
                layout.minimum() ? MemorySegment.ofArray(input.offsets(parts)).asSlice(4 * first * parts) : NOTHING;
        try {
            function.handle.invokeExact(
                    matrix.data().asSlice(matrix.offset(firstGroup)),
                    (long) groups,
                    (long) matrix.blocks(),
                    MemorySegment.ofArray(input.codes()).asSlice(PackedLayout.STRETCH * first),
                    MemorySegment.ofArray(input.scales()).asSlice(4 * first),
                    starts,
                    offsets,
                    MemorySegment.ofArray(y).asSlice(4L * at),
                    4L * stride,
                    function.constants);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static Function write(Shape shape) {
        return new Function(
                ExecutableMemory.link(ProductCode.of(shape.layout, shape.tokens), ProductCode.SIGNATURE),
                MemorySegment.ofArray(ProductCode.constants(shape.layout)));
    }
}
