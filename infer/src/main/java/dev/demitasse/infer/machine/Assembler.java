package dev.demitasse.infer.machine;

import java.io.ByteArrayOutputStream;

/**
 * Writes x86-64 instructions: AVX-512 ones on whole 512-bit registers (numbers 0 to 31; EVEX encoding, Intel SDM volume 2,
 * §2.7) and what loops around them need. Memory operands are a base register and a displacement.
 */
public final class Assembler {
    private static final int REX_W = 0x48;
    private static final int EVEX = 0x62;
    private static final int WIDTH_512 = 0x40;
    private static final int BROADCAST = 0x10;
    private static final int ZMM = 64;
    private static final int DWORD = 4;

    private final ByteArrayOutputStream code = new ByteArrayOutputStream();

    /** The opcode maps of EVEX: which escape bytes a legacy encoding would have had. */
    private enum OpcodeMap {
        OF(1),
        OF38(2),
        OF3A(3);

        private final int bits;

        OpcodeMap(int bits) {
            this.bits = bits;
        }
    }

    /** The mandatory prefixes of EVEX. */
    private enum Prefix {
        NONE(0),
        P66(1),
        PF3(2);

        private final int bits;

        Prefix(int bits) {
            this.bits = bits;
        }
    }

    /** What has been written. */
    public byte[] code() {
        return code.toByteArray();
    }

    /** Where the next instruction begins. */
    public int position() {
        return code.size();
    }

    private void bytes(int... values) {
        for (int value : values) {
            code.write(value);
        }
    }

    private void dword(int value) {
        bytes(value, value >> 8, value >> 16, value >> 24);
    }

    // General registers.

    public void push(Register register) {
        if (register.ordinal() > 7) {
            bytes(0x41);
        }
        bytes(0x50 | register.ordinal() & 7);
    }

    public void pop(Register register) {
        if (register.ordinal() > 7) {
            bytes(0x41);
        }
        bytes(0x58 | register.ordinal() & 7);
    }

    /** target = source. */
    public void move(Register target, Register source) {
        general(0x89, source, target);
    }

    /** target += source. */
    public void add(Register target, Register source) {
        general(0x01, source, target);
    }

    /** target = 0. */
    public void clear(Register target) {
        general(0x31, target, target);
    }

    private void general(int opcode, Register register, Register other) {
        bytes(REX_W | (register.ordinal() >> 3) << 2 | other.ordinal() >> 3, opcode);
        bytes(0xC0 | (register.ordinal() & 7) << 3 | other.ordinal() & 7);
    }

    /** target = the 64 bits at base + displacement. */
    public void load(Register target, Register base, int displacement) {
        general(0x8B, target, base, displacement);
    }

    /** The 64 bits at base + displacement = source. */
    public void store(Register base, int displacement, Register source) {
        general(0x89, source, base, displacement);
    }

    private void general(int opcode, Register register, Register base, int displacement) {
        bytes(REX_W | (register.ordinal() >> 3) << 2 | base.ordinal() >> 3, opcode);
        memory(register.ordinal() & 7, base, displacement, 1);
    }

    /** target += value. */
    public void add(Register target, int value) {
        boolean small = value == (byte) value;
        bytes(REX_W | target.ordinal() >> 3, small ? 0x83 : 0x81, 0xC0 | target.ordinal() & 7);
        immediate(value, small);
    }

    private void immediate(int value, boolean small) {
        if (small) {
            bytes(value);
        } else {
            dword(value);
        }
    }

    /** prefetcht0: asks for the cache line at base + displacement, which need not exist. */
    public void prefetch(Register base, int displacement) {
        if (base.ordinal() > 7) {
            bytes(0x41);
        }
        bytes(0x0F, 0x18);
        memory(1, base, displacement, 1);
    }

    /** --target, for {@link #jumpIfNotZero}. */
    public void decrement(Register target) {
        bytes(REX_W | target.ordinal() >> 3, 0xFF, 0xC8 | target.ordinal() & 7);
    }

    /** Jumps back to {@code target}, a {@link #position}, unless the last result was 0. */
    public void jumpIfNotZero(int target) {
        bytes(0x0F, 0x85);
        dword(target - (position() + 4));
    }

    /** Asks the CPU about itself: leaf in EAX, sub-leaf in ECX. */
    public void cpuid() {
        bytes(0x0F, 0xA2);
    }

    /** EDX:EAX = the extended control register of ECX. */
    public void xgetbv() {
        bytes(0x0F, 0x01, 0xD0);
    }

    /** Leaves the upper halves of vector registers clean, as callers expect, and returns. */
    public void leave() {
        bytes(0xC5, 0xF8, 0x77, 0xC3);
    }

    public void ret() {
        bytes(0xC3);
    }

    // Vectors of 512 bits.

    /** vmovdqu32 target, [base + displacement]. */
    public void loadVector(int target, Register base, int displacement) {
        memory(OpcodeMap.OF, Prefix.PF3, 0x6F, target, 0, base, displacement, ZMM, false);
    }

    /** vmovups [base + displacement], source. */
    public void storeVector(Register base, int displacement, int source) {
        memory(OpcodeMap.OF, Prefix.NONE, 0x11, source, 0, base, displacement, ZMM, false);
    }

    /** vpbroadcastd target, [base + displacement]. */
    public void broadcast(int target, Register base, int displacement) {
        memory(OpcodeMap.OF38, Prefix.P66, 0x58, target, 0, base, displacement, DWORD, false);
    }

    /** vpxord target, target, target. */
    public void zero(int target) {
        registers(OpcodeMap.OF, Prefix.P66, 0xEF, target, target, target);
    }

    /** vpdpbusd: sums += unsigned bytes · the signed bytes of the 32 bits at base + displacement, by fours. */
    public void dotBroadcast(int sums, int unsignedBytes, Register base, int displacement) {
        memory(OpcodeMap.OF38, Prefix.P66, 0x50, sums, unsignedBytes, base, displacement, DWORD, true);
    }

    /** vpandd target, left, right. */
    public void and(int target, int left, int right) {
        registers(OpcodeMap.OF, Prefix.P66, 0xDB, target, left, right);
    }

    /** vpternlogd: target = target & mask | other. */
    public void maskThenOr(int target, int mask, int other) {
        registers(OpcodeMap.OF3A, Prefix.P66, 0x25, target, mask, other);
        bytes(0xEA);
    }

    /** vpsrld target, source, bits. */
    public void shiftRight(int target, int source, int bits) {
        registers(OpcodeMap.OF, Prefix.P66, 0x72, 2, target, source);
        bytes(bits);
    }

    /** vpslld target, source, bits. */
    public void shiftLeft(int target, int source, int bits) {
        registers(OpcodeMap.OF, Prefix.P66, 0x72, 6, target, source);
        bytes(bits);
    }

    /** vpshufb: every byte of target = the byte of table, of the same 128 bits, that index says. */
    public void lookUp(int target, int table, int index) {
        registers(OpcodeMap.OF38, Prefix.P66, 0x00, target, table, index);
    }

    /** vcvtdq2ps target, source: 32-bit integers to floats. */
    public void toFloat(int target, int source) {
        registers(OpcodeMap.OF, Prefix.NONE, 0x5B, target, 0, source);
    }

    /** vcvtph2ps target, [base + displacement]: sixteen float16 to floats. */
    public void loadHalves(int target, Register base, int displacement) {
        memory(OpcodeMap.OF38, Prefix.P66, 0x13, target, 0, base, displacement, 32, false);
    }

    /** vpmovzxwd target, [base + displacement]: sixteen 16-bit words to integers. */
    public void loadWords(int target, Register base, int displacement) {
        memory(OpcodeMap.OF38, Prefix.P66, 0x33, target, 0, base, displacement, 32, false);
    }

    /** vpmovsxbd target, [base + displacement]: sixteen signed bytes to integers. */
    public void loadBytes(int target, Register base, int displacement) {
        memory(OpcodeMap.OF38, Prefix.P66, 0x21, target, 0, base, displacement, 16, false);
    }

    /** vaddps target, left, right. */
    public void addFloats(int target, int left, int right) {
        registers(OpcodeMap.OF, Prefix.NONE, 0x58, target, left, right);
    }

    /** vshuff32x4: the four 128 bits of target = two of left, then two of right, two bits of {@code choice} for each. */
    public void shuffleQuarters(int target, int left, int right, int choice) {
        registers(OpcodeMap.OF3A, Prefix.P66, 0x23, target, left, right);
        bytes(choice);
    }

    /** vshufps: the four floats of every 128 bits of target = two of left, then two of right, two bits of {@code choice} for each. */
    public void shuffleFloats(int target, int left, int right, int choice) {
        registers(OpcodeMap.OF, Prefix.NONE, 0xC6, target, left, right);
        bytes(choice);
    }

    /** vmulps target, left, right. */
    public void multiply(int target, int left, int right) {
        registers(OpcodeMap.OF, Prefix.NONE, 0x59, target, left, right);
    }

    /** vmulps: target = left · the float at base + displacement. */
    public void multiplyBroadcast(int target, int left, Register base, int displacement) {
        memory(OpcodeMap.OF, Prefix.NONE, 0x59, target, left, base, displacement, DWORD, true);
    }

    /** vfmadd231ps: sums += left · right. */
    public void multiplyAdd(int sums, int left, int right) {
        registers(OpcodeMap.OF38, Prefix.P66, 0xB8, sums, left, right);
    }

    /** vfmadd231ps: sums += left · the float at base + displacement. */
    public void multiplyAddBroadcast(int sums, int left, Register base, int displacement) {
        memory(OpcodeMap.OF38, Prefix.P66, 0xB8, sums, left, base, displacement, DWORD, true);
    }

    private void registers(OpcodeMap map, Prefix prefix, int opcode, int register, int second, int other) {
        evex(map, prefix, register, second, other >> 3 & 1, other >> 4 & 1, WIDTH_512, opcode);
        bytes(0xC0 | (register & 7) << 3 | other & 7);
    }

    /** @param unit bytes that a displacement of 8 bits counts in: those the instruction reads or writes */
    private void memory(
            OpcodeMap map,
            Prefix prefix,
            int opcode,
            int register,
            int second,
            Register base,
            int displacement,
            int unit,
            boolean broadcast) {
        int width = WIDTH_512 | (broadcast ? BROADCAST : 0);
        evex(map, prefix, register, second, base.ordinal() >> 3, 0, width, opcode);
        memory(register & 7, base, displacement, unit);
    }

    private void evex(OpcodeMap map, Prefix prefix, int register, int second, int b, int x, int width, int opcode) {
        bytes(
                EVEX,
                (~register >> 3 & 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | (~register >> 4 & 1) << 4 | map.bits,
                (~second & 15) << 3 | 4 | prefix.bits,
                width | (~second >> 4 & 1) << 3,
                opcode);
    }

    private void memory(int register, Register base, int displacement, int unit) {
        boolean small = displacement % unit == 0 && displacement / unit == (byte) (displacement / unit);
        int low = base.ordinal() & 7;
        bytes((small ? 0x40 : 0x80) | register << 3 | low);
        if (low == Register.RSP.ordinal()) {
            bytes(0x24);
        }
        immediate(small ? displacement / unit : displacement, small);
    }
}
