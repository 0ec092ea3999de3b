package dev.demitasse.infer.linear;

import static dev.demitasse.infer.machine.Register.R8;
import static dev.demitasse.infer.machine.Register.RAX;
import static dev.demitasse.infer.machine.Register.RCX;
import static dev.demitasse.infer.machine.Register.RDI;
import static dev.demitasse.infer.machine.Register.RDX;
import static dev.demitasse.infer.machine.Register.RSI;

import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.machine.Assembler;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.ValueLayout;

/**
 * Writes the machine code of {@link EmittedTileKernel}. The product is {@link MatrixKernel}'s, six rows by up to four vectors
 * of columns with all sums in registers, for every group of rows of a tile; what a compiler makes of the Vector API's
 * is as fast at its best, and at times half as fast.
 */
final class TileCode {
    static final int LANES = 16;

    /** Vectors of a panel. */
    static final int VECTORS = 4;

    /** {@code (panel, weights, groups, blocks)}. */
    static final FunctionDescriptor PRODUCT = FunctionDescriptor.ofVoid(
            ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS);

    /** {@code (float16 numbers, vectors of them, floats)}. */
    static final FunctionDescriptor WIDENING =
            FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS);

    private static final int ROWS = MatrixKernel.ROWS;
    private static final int VECTOR = 4 * LANES;

    // The first 24 of the 32 vector registers hold sums.
    private static final int PANEL = ROWS * VECTORS;
    private static final int WEIGHT = PANEL + VECTORS;

    private TileCode() {}

    /**
     * The product over {@code depth} columns of weights.
     *
     * @param vectors of the panel's that are multiplied, 1 … 4
     */
    static byte[] product(int depth, int vectors) {
        Assembler code = new Assembler();
        int group = code.position();
        for (int sum = 0; sum < ROWS * vectors; sum++) {
            code.zero(sum);
        }
        code.move(RAX, RDI);
        code.clear(R8);
        code.add(R8, depth);
        int column = code.position();
        for (int vector = 0; vector < vectors; vector++) {
            code.loadVector(PANEL + vector, RAX, vector * VECTOR);
        }
        for (int row = 0; row < ROWS; row++) {
            code.broadcast(WEIGHT, RSI, 4 * depth * row);
            for (int vector = 0; vector < vectors; vector++) {
                code.multiplyAdd(row * vectors + vector, WEIGHT, PANEL + vector);
            }
        }
        code.add(RAX, VECTORS * VECTOR);
        code.add(RSI, 4);
        code.decrement(R8);
        code.jumpIfNotZero(column);
        for (int row = 0; row < ROWS; row++) {
            for (int vector = 0; vector < vectors; vector++) {
                int at = (row * VECTORS + vector) * VECTOR;
                code.loadVector(PANEL, RCX, at);
                code.addFloats(PANEL, PANEL, row * vectors + vector);
                code.storeVector(RCX, at, PANEL);
            }
        }
        code.add(RCX, ROWS * VECTORS * VECTOR);
        code.add(RSI, 4 * depth * (ROWS - 1));
        code.decrement(RDX);
        code.jumpIfNotZero(group);
        code.leave();
        return code.code();
    }

    static byte[] widening() {
        Assembler code = new Assembler();
        int next = code.position();
        code.loadHalves(0, RDI, 0);
        code.storeVector(RDX, 0, 0);
        code.add(RDI, 2 * LANES);
        code.add(RDX, VECTOR);
        code.decrement(RSI);
        code.jumpIfNotZero(next);
        code.leave();
        return code.code();
    }
}
