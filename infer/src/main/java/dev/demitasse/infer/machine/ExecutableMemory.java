package dev.demitasse.infer.machine;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Memory that machine code runs from: mapped writable, filled, then made executable and no longer writable, so that it is never
 * both. Stays mapped as long as the process lives.
 */
public final class ExecutableMemory {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_PRIVATE_ANONYMOUS = 0x22;
    private static final long MAP_FAILED = -1;

    private ExecutableMemory() {}

    /** Whether there can be any: on Linux on x86-64. */
    public static boolean supported() {
        return System.getProperty("os.name").equals("Linux")
                && System.getProperty("os.arch").equals("amd64");
    }

    /**
     * A handle that calls {@code code}, without a transition to native state: the code is to be short and not to call back.
     * Addresses may be of arrays.
     *
     * @throws IllegalStateException if the system does not let code be written
     */
    public static MethodHandle link(byte[] code, FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(map(code), descriptor, Linker.Option.critical(true));
    }

    private static MemorySegment map(byte[] code) {
        MethodHandle mmap = function(
                "mmap",
                FunctionDescriptor.of(
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_LONG));
        MethodHandle mprotect = function(
                "mprotect",
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
        try {
            long size = code.length;
            long address = (long) mmap.invokeExact(0L, size, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0L);
            if (address == MAP_FAILED) {
                throw new IllegalStateException("no memory for %,d bytes of code".formatted(size));
            }
            MemorySegment memory = MemorySegment.ofAddress(address).reinterpret(size, Arena.global(), null);
            memory.copyFrom(MemorySegment.ofArray(code));
            if ((int) mprotect.invokeExact(address, size, PROT_READ | PROT_EXEC) != 0) {
                throw new IllegalStateException("the system does not let memory be made executable");
            }
            return memory;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        MemorySegment address = linker.defaultLookup()
                .find(name)
                .orElseThrow(() -> new IllegalStateException("the C library has no " + name));
        return linker.downcallHandle(address, descriptor);
    }
}
