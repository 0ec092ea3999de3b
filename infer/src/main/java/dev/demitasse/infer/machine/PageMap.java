package dev.demitasse.infer.machine;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.OptionalLong;

/** Linux's calls for pages of memory. */
final class PageMap {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_PRIVATE_ANONYMOUS = 0x22;
    private static final int MADV_HUGEPAGE = 14;
    private static final long MAP_FAILED = -1;

    private PageMap() {}

    static boolean supported() {
        return System.getProperty("os.name").equals("Linux");
    }

    /** The address of new pages of zeros, writable; empty if the system gives none. */
    static OptionalLong map(long bytes) {
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
        try {
            long address = (long) mmap.invokeExact(0L, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0L);
            return address == MAP_FAILED ? OptionalLong.empty() : OptionalLong.of(address);
        } catch (Throwable e) {
            throw failure(e);
        }
    }

    static void unmap(long address, long bytes) {
        MethodHandle munmap = function(
                "munmap", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
        try {
            int ignored = (int) munmap.invokeExact(address, bytes);
        } catch (Throwable e) {
            throw failure(e);
        }
    }

    /** Makes pages executable and no longer writable; whether the system does. */
    static boolean makeExecutable(long address, long bytes) {
        return change("mprotect", address, bytes, PROT_READ | PROT_EXEC);
    }

    /** Asks for large pages, which the system may have or not. */
    static void preferLarge(long address, long bytes) {
        boolean ignored = change("madvise", address, bytes, MADV_HUGEPAGE);
    }

    private static boolean change(String name, long address, long bytes, int value) {
        MethodHandle call = function(
                name,
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
        try {
            return (int) call.invokeExact(address, bytes, value) == 0;
        } catch (Throwable e) {
            throw failure(e);
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(
                linker.defaultLookup()
                        .find(name)
                        .orElseThrow(() -> new IllegalStateException("the C library has no " + name)),
                descriptor);
    }

    private static RuntimeException failure(Throwable e) {
        return e instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
    }
}
