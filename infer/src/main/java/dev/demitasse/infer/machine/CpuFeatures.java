package dev.demitasse.infer.machine;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * What an x86-64 CPU and its operating system can do, as CPUID and XGETBV tell (Intel SDM volume 2, CPUID; volume 1, §15.2).
 *
 * @param avx512 the foundation with byte and word instructions (F, BW), its registers kept by the system
 * @param vnni byte products summed by fours, of 512 bits (AVX512_VNNI)
 */
public record CpuFeatures(boolean avx512, boolean vnni) {
    private static final CpuFeatures NONE = new CpuFeatures(false, false);
    private static final int OSXSAVE = 1 << 27;
    private static final int AVX512F = 1 << 16;
    private static final int AVX512BW = 1 << 30;
    private static final int AVX512_VNNI = 1 << 11;
    /** SSE, AVX, opmask, upper halves of the first 16 ZMM, the last 16 ZMM. */
    private static final int KEPT_REGISTERS = 0xe6;

    /** Those of this machine; none where no code can be written. */
    public static CpuFeatures detect() {
        if (!ExecutableMemory.supported()) {
            return NONE;
        }
        FunctionDescriptor query =
                FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS);
        MethodHandle cpuid = ExecutableMemory.link(query(false), query);
        if (ask(cpuid, 0, 0)[0] < 7 || (ask(cpuid, 1, 0)[2] & OSXSAVE) == 0) {
            return NONE;
        }
        int kept = ask(ExecutableMemory.link(query(true), query), 0, 0)[0];
        int[] extended = ask(cpuid, 7, 0);
        boolean avx512 = (kept & KEPT_REGISTERS) == KEPT_REGISTERS
                && (extended[1] & AVX512F) != 0
                && (extended[1] & AVX512BW) != 0;
        return new CpuFeatures(avx512, avx512 && (extended[2] & AVX512_VNNI) != 0);
    }

    /** EAX, EBX, ECX, EDX. */
    private static int[] ask(MethodHandle query, long leaf, long subLeaf) {
        long[] answer = new long[4];
        try {
            query.invokeExact(leaf, subLeaf, MemorySegment.ofArray(answer));
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
        return new int[] {(int) answer[0], (int) answer[1], (int) answer[2], (int) answer[3]};
    }

    /** Takes leaf, sub-leaf and where the four registers go. */
    private static byte[] query(boolean control) {
        Assembler code = new Assembler();
        code.push(Register.RBX);
        code.move(Register.R10, Register.RDX);
        code.move(Register.RAX, Register.RDI);
        code.move(Register.RCX, Register.RSI);
        if (control) {
            code.xgetbv();
        } else {
            code.cpuid();
        }
        code.store(Register.R10, 0, Register.RAX);
        code.store(Register.R10, 8, Register.RBX);
        code.store(Register.R10, 16, Register.RCX);
        code.store(Register.R10, 24, Register.RDX);
        code.pop(Register.RBX);
        code.ret();
        return code.code();
    }
}
