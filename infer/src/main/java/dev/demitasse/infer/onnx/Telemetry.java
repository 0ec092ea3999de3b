package dev.demitasse.infer.onnx;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * Keeps ONNX Runtime from telling its maker about the machine and the models it runs, as its builds for Linux and macOS do
 * from 1.29 on (github.com/microsoft/onnxruntime/pull/27379) unless an environment variable forbids it before the library
 * is loaded. Its reporter also ends the process where the command line is longer than 4 kB.
 */
final class Telemetry {
    private static final String VARIABLE = "ORT_DISABLE_TELEMETRY";

    private Telemetry() {}

    /**
     * Sets the variable in this process, whose environment Java itself cannot change, unless it is set. Where the system has
     * no {@code setenv} (Windows, whose build has no such reporter) nothing is done.
     */
    static void forbid() {
        Linker linker = Linker.nativeLinker();
        Optional<MemorySegment> setenv = linker.defaultLookup().find("setenv");
        if (setenv.isEmpty()) {
            return;
        }
        FunctionDescriptor signature = FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT);
        try (Arena arena = Arena.ofConfined()) {
            int status = (int) linker.downcallHandle(setenv.get(), signature)
                    .invokeExact(arena.allocateFrom(VARIABLE), arena.allocateFrom("1"), 0);
            if (status != 0) {
                throw new IllegalStateException("setenv gave " + status);
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("setenv", e);
        }
    }
}
