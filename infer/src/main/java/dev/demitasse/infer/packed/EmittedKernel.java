package dev.demitasse.infer.packed;

import dev.demitasse.infer.machine.ExecutableMemory;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Machine code of {@link ProductCode}, written when a layout and a number of tokens first occur. */
final class EmittedKernel implements PackedKernel {
    private static final MemorySegment NOTHING = MemorySegment.ofArray(new int[16]);

    private record Shape(PackedLayout layout, int tokens) {}

    private record Function(MethodHandle handle, MemorySegment constants) {}

    private final Map<Shape, Function> functions = new ConcurrentHashMap<>();

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
