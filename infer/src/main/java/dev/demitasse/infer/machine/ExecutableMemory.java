package dev.demitasse.infer.machine;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Memory that machine code runs from: mapped writable, filled, then made executable and no longer writable, so that it is never
 * both. Stays mapped as long as the process lives.
 */
public final class ExecutableMemory {
    private ExecutableMemory() {}

    /** Whether there can be any: on Linux on x86-64. */
    public static boolean supported() {
        return PageMap.supported() && System.getProperty("os.arch").equals("amd64");
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
        long address = PageMap.map(code.length)
                .orElseThrow(() -> new IllegalStateException("the system gives no memory for code"));
        MemorySegment memory = MemorySegment.ofAddress(address).reinterpret(code.length, Arena.global(), null);
        memory.copyFrom(MemorySegment.ofArray(code));
        if (!PageMap.makeExecutable(address, code.length)) {
            throw new IllegalStateException("the system does not let memory be made executable");
        }
        return memory;
    }
}
