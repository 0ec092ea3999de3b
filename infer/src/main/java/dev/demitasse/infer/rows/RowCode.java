package dev.demitasse.infer.rows;

import static dev.demitasse.infer.machine.Register.R10;
import static dev.demitasse.infer.machine.Register.R11;
import static dev.demitasse.infer.machine.Register.R12;
import static dev.demitasse.infer.machine.Register.R13;
import static dev.demitasse.infer.machine.Register.R14;
import static dev.demitasse.infer.machine.Register.R8;
import static dev.demitasse.infer.machine.Register.R9;
import static dev.demitasse.infer.machine.Register.RAX;
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
 * Writes the machine code of a {@link RowKernel} for a format and a number of tokens: a vector of each stream is loaded and
 * widened to floats ({@code vcvtph2ps} for F16, subnormals, infinities and all), a vector of each token multiplies it, and
 * the sums of all streams and tokens stay in registers.
 *
 * <p>The function, by System V's calling convention: {@code (data, rows of a stream, vectors of a token, inputs, sums, bytes
 * from stream to stream, bytes from row to row)}.
 */
final class RowCode {
    static final int LANES = 16;

    /** As many as there are registers for. */
    static final int MOST_TOKENS = 6;

    static final FunctionDescriptor SIGNATURE = FunctionDescriptor.ofVoid(
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG);

    private static final List<Register> SAVED = List.of(RBX, R12, R13, R14);
    private static final int STACK_ARGUMENT = 8 * (SAVED.size() + 1);
    private static final List<Register> STREAMS = List.of(R10, R11, RAX, RBX);
    private static final int VECTOR = 4 * LANES;

    // Of the 32 vector registers, the first 4 · tokens hold sums.
    private static final int WEIGHTS = STREAMS.size() * MOST_TOKENS;
    private static final int INPUT = WEIGHTS + STREAMS.size();

    private final FloatFormat format;
    private final int tokens;
    private final Assembler code = new Assembler();

    private RowCode(FloatFormat format, int tokens) {
        if (tokens < 1 || tokens > MOST_TOKENS) {
            throw new IllegalArgumentException(tokens + " tokens");
        }
        this.format = format;
        this.tokens = tokens;
    }

    /** The code for a format and a number of tokens, up to {@link #MOST_TOKENS}. */
    static byte[] of(FloatFormat format, int tokens) {
        return new RowCode(format, tokens).write();
    }

    private byte[] write() {
        SAVED.forEach(code::push);
        code.load(R14, RSP, STACK_ARGUMENT);
        int row = code.position();
        for (int sum = 0; sum < STREAMS.size() * tokens; sum++) {
            code.zero(sum);
        }
        code.move(STREAMS.getFirst(), RDI);
        for (int stream = 1; stream < STREAMS.size(); stream++) {
            code.move(STREAMS.get(stream), STREAMS.get(stream - 1));
            code.add(STREAMS.get(stream), R9);
        }
        code.move(R12, RCX);
        code.move(R13, RDX);
        vectors();
        for (int token = 0; token < tokens; token++) {
            sumLanes(token);
            code.storeVector(R8, VECTOR * token, sum(0, token));
        }
        code.add(R8, VECTOR * tokens);
        code.add(RDI, R14);
        code.decrement(RSI);
        code.jumpIfNotZero(row);
        SAVED.reversed().forEach(code::pop);
        code.leave();
        return code.code();
    }

    private void vectors() {
        int next = code.position();
        for (int stream = 0; stream < STREAMS.size(); stream++) {
            load(WEIGHTS + stream, STREAMS.get(stream));
            code.add(STREAMS.get(stream), format.bytes() * LANES);
        }
        for (int token = 0; token < tokens; token++) {
            code.loadVector(INPUT, R12, VECTOR * token);
            for (int stream = 0; stream < STREAMS.size(); stream++) {
                code.multiplyAdd(sum(stream, token), WEIGHTS + stream, INPUT);
            }
        }
        code.add(R12, VECTOR * tokens);
        code.decrement(R13);
        code.jumpIfNotZero(next);
    }

    private int sum(int stream, int token) {
        return stream * tokens + token;
    }

    /** Adds halves of the lanes of all streams' sums to halves: stream s's sum comes to lane 4 · s of the first one's register. */
    private void sumLanes(int token) {
        int first = sum(0, token);
        int third = sum(2, token);
        addShuffled(first, sum(1, token), 0x44, 0xee);
        addShuffled(third, sum(3, token), 0x44, 0xee);
        addShuffled(first, third, 0x88, 0xdd);
        code.shuffleFloats(INPUT, first, first, 0x4e);
        code.addFloats(first, first, INPUT);
        code.shuffleFloats(INPUT, first, first, 0xb1);
        code.addFloats(first, first, INPUT);
    }

    /** left = some quarters of left and right + the others. */
    private void addShuffled(int left, int right, int some, int others) {
        code.shuffleQuarters(INPUT, left, right, others);
        code.shuffleQuarters(left, left, right, some);
        code.addFloats(left, left, INPUT);
    }

    private void load(int target, Register stream) {
        switch (format) {
            case F16 -> code.loadHalves(target, stream, 0);
            case BF16 -> {
                code.loadWords(target, stream, 0);
                code.shiftLeft(target, target, 16);
            }
            case F32 -> code.loadVector(target, stream, 0);
        }
    }
}
