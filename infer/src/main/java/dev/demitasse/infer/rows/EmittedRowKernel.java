package dev.demitasse.infer.rows;

import dev.demitasse.infer.machine.CpuFeatures;
import dev.demitasse.infer.machine.ExecutableMemory;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Machine code of {@link RowCode}. */
final class EmittedRowKernel implements RowKernel {
    private static final Logger LOGGER = System.getLogger(EmittedRowKernel.class.getName());

    /** Made when first asked for. */
    private static final class Emitted {
        static final List<Optional<RowKernel>> BY_FORMAT = emit();
    }

    private final List<MethodHandle> byTokens = new ArrayList<>();

    private EmittedRowKernel(FloatFormat format) {
        for (int tokens = 1; tokens <= RowCode.MOST_TOKENS; tokens++) {
            byTokens.add(ExecutableMemory.link(RowCode.of(format, tokens), RowCode.SIGNATURE));
        }
    }

    /**
     * The kernel for a format, if the CPU has AVX-512, the system lets code be written, and what the code computes of random
     * numbers is to the last bit what {@link ScalarRowKernel} does. A line is logged otherwise.
     */
    static Optional<RowKernel> of(FloatFormat format) {
        return Emitted.BY_FORMAT.get(format.ordinal());
    }

    private static List<Optional<RowKernel>> emit() {
        List<Optional<RowKernel>> kernels = new ArrayList<>();
        for (FloatFormat format : FloatFormat.values()) {
            kernels.add(emit(format));
        }
        return kernels;
    }

    private static Optional<RowKernel> emit(FloatFormat format) {
        try {
            if (!CpuFeatures.detect().avx512()) {
                return Optional.empty();
            }
            RowKernel kernel = new EmittedRowKernel(format);
            if (RowKernelCheck.agree(kernel, new ScalarRowKernel(format, RowCode.LANES), format)) {
                return Optional.of(kernel);
            }
            LOGGER.log(Level.WARNING, "machine code for {0} is off: it differs from plain Java", format);
        } catch (IllegalStateException e) {
            LOGGER.log(Level.WARNING, "machine code for {0} is off: {1}", format, e.getMessage());
        }
        return Optional.empty();
    }

    @Override
    public int lanes() {
        return RowCode.LANES;
    }

    @Override
    public int tokens() {
        return byTokens.size();
    }

    @Override
    public int fewTokens() {
        return 2 * RowCode.MOST_TOKENS;
    }

    @Override
    public int weightExponent() {
        return 0;
    }

    @Override
    public boolean takesAll() {
        return true;
    }

    @Override
    public void multiply(RowStreams rows, Inputs inputs, float[] sums) {
        if (inputs.vectors() == 0) {
            Arrays.fill(sums, 0, rows.count() * inputs.tokens() * STREAMS * APART, 0);
            return;
        }
        try {
            byTokens.get(inputs.tokens() - 1)
                    .invokeExact(
                            rows.data().asSlice(rows.offset()),
                            (long) rows.count(),
                            (long) inputs.vectors(),
                            MemorySegment.ofArray(inputs.values()).asSlice(4L * inputs.at()),
                            MemorySegment.ofArray(sums),
                            rows.apart(),
                            rows.rowBytes());
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
