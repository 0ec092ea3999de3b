package dev.demitasse.infer.parallel;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.Locale;
import java.util.Optional;

/** Which cores the calling thread may run on: Linux's sched_getaffinity(2) and sched_setaffinity(2). */
final class CpuAffinity {
    /** Bytes of a mask: 8,192 cores, the most that Linux can be built for. */
    private static final int MASK = 1024;

    private static final FunctionDescriptor DESCRIPTOR = FunctionDescriptor.of(
            ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS);

    private final MethodHandle get;
    private final MethodHandle set;

    private CpuAffinity(MethodHandle get, MethodHandle set) {
        this.get = get;
        this.set = set;
    }

    /** Nothing where the system has no such calls. */
    static Optional<CpuAffinity> ofSystem() {
        if (!System.getProperty("os.name", "").toLowerCase(Locale.ROOT).contains("linux")
                || ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            return Optional.empty();
        }
        return function("sched_getaffinity")
                .flatMap(get -> function("sched_setaffinity").map(set -> new CpuAffinity(get, set)));
    }

    private static Optional<MethodHandle> function(String name) {
        Linker linker = Linker.nativeLinker();
        return linker.defaultLookup().find(name).map(address -> linker.downcallHandle(address, DESCRIPTOR));
    }

    /** The cores that the calling thread may run on; none if the system does not tell. */
    BitSet allowed() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocate(MASK, Long.BYTES);
            return call(get, mask) >= 0 ? BitSet.valueOf(mask.asByteBuffer()) : new BitSet();
        }
    }

    /** Lets the calling thread run on {@code core} alone from now on; says whether that was granted. */
    boolean pin(int core) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocate(MASK, Long.BYTES);
            mask.set(ValueLayout.JAVA_BYTE, core / Byte.SIZE, (byte) (1 << core % Byte.SIZE));
            return call(set, mask) == 0;
        }
    }

    /** Thread 0 is the calling one. */
    private static int call(MethodHandle function, MemorySegment mask) {
        try {
            return (int) function.invokeExact(0, (long) MASK, mask);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
