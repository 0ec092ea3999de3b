package dev.demitasse.infer.packed;

import static dev.demitasse.infer.machine.Register.R10;
import static dev.demitasse.infer.machine.Register.R11;
import static dev.demitasse.infer.machine.Register.R12;
import static dev.demitasse.infer.machine.Register.R13;
import static dev.demitasse.infer.machine.Register.R14;
import static dev.demitasse.infer.machine.Register.R15;
import static dev.demitasse.infer.machine.Register.R8;
import static dev.demitasse.infer.machine.Register.R9;
import static dev.demitasse.infer.machine.Register.RAX;
import static dev.demitasse.infer.machine.Register.RBP;
import static dev.demitasse.infer.machine.Register.RBX;
import static dev.demitasse.infer.machine.Register.RCX;
import static dev.demitasse.infer.machine.Register.RDI;
import static dev.demitasse.infer.machine.Register.RDX;
import static dev.demitasse.infer.machine.Register.RSI;
import static dev.demitasse.infer.machine.Register.RSP;

import dev.demitasse.infer.machine.Assembler;
import dev.demitasse.infer.machine.Register;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * Writes the machine code of a {@link PackedKernel} for a layout of 16 lanes and a number of tokens. A row's sums lie in a lane:
 * {@code vpdpbusd} adds four products of an unsigned code and a signed input to each, the inputs broadcast from memory, the
 * codes unpacked once for all tokens. All sums of a group stay in registers; weights, inputs and scales are streams.
 *
 * <p>The function, by System V's calling convention:
 * {@code (matrix, groups, blocks, codes, scales, starts, offsets, y, bytes from token to token, constants)}.
 */
final class ProductCode {
    static final int LANES = 16;

    static final FunctionDescriptor SIGNATURE = FunctionDescriptor.ofVoid(
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.ADDRESS,
            ValueLayout.ADDRESS,
            ValueLayout.ADDRESS,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS);

    private static final List<Register> SAVED = List.of(RBX, RBP, R12, R13, R14, R15);
    private static final int STACK_ARGUMENTS = 8 * (SAVED.size() + 1);
    private static final int WORD = 4;
    private static final int CACHE_LINE = 64;
    /** Up to here weights are read once from memory, and asked for this many bytes before. */
    private static final int FEW_TOKENS = 4;

    private static final int AHEAD = 4096;
    private static final int VECTOR = WORD * LANES;

    // Of the 32 vector registers, the first 2 · tokens hold sums.
    private static final int SCALE = 24;
    private static final int MINIMUM = 25;
    private static final int MASK = 26;
    private static final int UPPER_MASK = 27;
    /** A table of levels, or the upper bits of codes that have any. */
    private static final int TABLE = 28;

    private static final int UPPER = 28;
    private static final int CODES = 29;
    private static final int RAW = 30;
    private static final int RAW_UPPER = 31;
    private static final int STEP = CODES;
    private static final int PRODUCT = RAW;

    private final PackedLayout layout;
    private final int tokens;
    private final List<Plane> planes;
    private final Assembler code = new Assembler();

    private ProductCode(PackedLayout layout, int tokens) {
        if (layout.lanes() != LANES || tokens < 1 || 2 * tokens > SCALE) {
            throw new IllegalArgumentException("%d tokens, %s".formatted(tokens, layout));
        }
        this.layout = layout;
        this.tokens = tokens;
        this.planes = layout.planes();
    }

    /** The code for a layout and a number of tokens, up to 12. */
    static byte[] of(PackedLayout layout, int tokens) {
        return new ProductCode(layout, tokens).write();
    }

    /** What the function's last argument points to: masks, and the table where there is one. */
    static int[] constants(PackedLayout layout) {
        int[] constants = new int[3 * LANES];
        Plane lower = layout.planes().getFirst();
        Plane upper = layout.planes().getLast();
        for (int lane = 0; lane < LANES; lane++) {
            constants[lane] = lower.mask();
            constants[LANES + lane] = upper.mask() << upper.place();
        }
        for (int code = 0; code < layout.table().size(); code++) {
            for (int part = 0; part < 4; part++) {
                constants[2 * LANES + 4 * part + code / 4] |= layout.table().get(code) << 8 * (code % 4);
            }
        }
        return constants;
    }

    private byte[] write() {
        SAVED.forEach(code::push);
        code.load(R10, RSP, STACK_ARGUMENTS);
        code.load(RAX, RSP, STACK_ARGUMENTS + 8);
        code.load(R11, RSP, STACK_ARGUMENTS + 16);
        code.load(RBP, RSP, STACK_ARGUMENTS + 24);
        code.loadVector(MASK, RBP, 0);
        code.loadVector(UPPER_MASK, RBP, VECTOR);
        if (!layout.table().isEmpty()) {
            code.loadVector(TABLE, RBP, 2 * VECTOR);
        }
        int group = code.position();
        for (int token = 0; token < tokens; token++) {
            code.zero(result(token));
        }
        code.move(R12, RCX);
        code.move(R13, R8);
        code.move(R14, R9);
        code.move(R15, R10);
        code.move(RBX, RDX);
        block();
        store();
        code.decrement(RSI);
        code.jumpIfNotZero(group);
        SAVED.reversed().forEach(code::pop);
        code.leave();
        return code.code();
    }

    /** A row's result so far. */
    private int result(int token) {
        return tokens + token;
    }

    private void block() {
        int next = code.position();
        code.loadHalves(SCALE, RDI, 0);
        if (layout.minimum()) {
            code.loadHalves(MINIMUM, RDI, 2 * LANES);
        }
        code.add(RDI, layout.headBytes());
        if (layout.stretches() == 1) {
            stretch();
        } else {
            code.clear(RBP);
            code.add(RBP, layout.stretches());
            int again = code.position();
            stretch();
            code.decrement(RBP);
            code.jumpIfNotZero(again);
        }
        code.decrement(RBX);
        code.jumpIfNotZero(next);
    }

    private void stretch() {
        for (int line = 0; line < layout.stretchBytes() && tokens <= FEW_TOKENS; line += CACHE_LINE) {
            code.prefetch(RDI, AHEAD + line);
        }
        for (int part = 0; part < layout.parts(); part++) {
            start(part);
            int vectors = PackedLayout.VECTORS / layout.parts();
            for (int vector = part * vectors; vector < (part + 1) * vectors; vector++) {
                int codes = unpack(vector);
                for (int token = 0; token < tokens; token++) {
                    code.dotBroadcast(token, codes, R12, PackedLayout.STRETCH * token + 4 * vector);
                }
            }
            addProducts(part);
            if (layout.minimum()) {
                addMinimums(part);
            }
        }
        code.add(RDI, layout.stretchBytes());
        code.add(R12, PackedLayout.STRETCH * tokens);
        code.add(R13, WORD * tokens);
        code.add(R14, WORD * tokens * layout.parts());
        code.add(R15, WORD * tokens * layout.parts());
    }

    private void start(int part) {
        for (int token = 0; token < tokens; token++) {
            if (layout.bias() == 0) {
                code.zero(token);
            } else {
                code.broadcast(token, R14, WORD * (part * tokens + token));
            }
        }
    }

    /** The register with four codes of each row, in bytes. */
    private int unpack(int vector) {
        Plane lower = planes.getFirst();
        int field = load(lower, vector, RAW);
        if (lower.bits() == 8) {
            return RAW;
        }
        int from = RAW;
        if (field > 0) {
            code.shiftRight(CODES, RAW, field * lower.bits());
            from = CODES;
        }
        code.and(CODES, from, MASK);
        if (!layout.table().isEmpty()) {
            code.lookUp(CODES, TABLE, CODES);
        }
        return planes.size() == 2 ? withUpperBits(planes.getLast(), vector) : CODES;
    }

    /** Loads the vector of a plane in which these codes' bits are, unless it is there, and tells which field they are in. */
    private int load(Plane plane, int vector, int register) {
        int field = vector % plane.fields();
        boolean firstOfPart = vector % (PackedLayout.VECTORS / layout.parts()) == 0;
        if (field == 0 || firstOfPart) {
            int at = layout.planesAt() + LANES * plane.offset() + VECTOR * (vector / plane.fields());
            code.loadVector(register, RDI, at);
        }
        return field;
    }

    private int withUpperBits(Plane upper, int vector) {
        int field = load(upper, vector, RAW_UPPER);
        int left = upper.place() - field * upper.bits();
        if (left >= 0) {
            code.shiftLeft(UPPER, RAW_UPPER, left);
        } else {
            code.shiftRight(UPPER, RAW_UPPER, -left);
        }
        code.maskThenOr(UPPER, UPPER_MASK, CODES);
        return UPPER;
    }

    private void addProducts(int part) {
        int step = SCALE;
        if (layout.scaleCodes()) {
            code.loadBytes(STEP, RDI, part * LANES);
            code.toFloat(STEP, STEP);
            code.multiply(STEP, STEP, SCALE);
            step = STEP;
        }
        for (int token = 0; token < tokens; token++) {
            code.toFloat(token, token);
            code.multiplyBroadcast(PRODUCT, step, R13, WORD * token);
            code.multiplyAdd(result(token), token, PRODUCT);
        }
    }

    private void addMinimums(int part) {
        int off = MINIMUM;
        if (layout.minimumCodes()) {
            code.loadBytes(STEP, RDI, layout.minimumCodesAt() + part * LANES);
            code.toFloat(STEP, STEP);
            code.multiply(STEP, STEP, MINIMUM);
            off = STEP;
        }
        for (int token = 0; token < tokens; token++) {
            code.multiplyAddBroadcast(result(token), off, R15, WORD * (part * tokens + token));
        }
    }

    private void store() {
        code.move(RBP, RAX);
        for (int token = 0; token < tokens; token++) {
            code.storeVector(RBP, 0, result(token));
            code.add(RBP, R11);
        }
        code.add(RAX, VECTOR);
    }
}
