package dev.demitasse.infer.rows;

import dev.demitasse.infer.rows.RowKernel.Inputs;
import dev.demitasse.infer.rows.RowKernel.RowStreams;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;

/** Whether two kernels of as many lanes multiply alike, tried on random numbers. */
final class RowKernelCheck {
    private static final int ROWS = 3;
    private static final int VECTORS = 5;

    private RowKernelCheck() {}

    /** On a small matrix of random bits, subnormal, infinite and no numbers among them, with every number of tokens of {@code one}. */
    static boolean agree(RowKernel one, RowKernel other, FloatFormat format) {
        SplittableRandom random = new SplittableRandom(42);
        int lanes = one.lanes();
        // Rows are a vector and an element longer than what is multiplied.
        long rowBytes = (long) format.bytes() * ((VECTORS + 1) * lanes + 1);
        byte[] weights = new byte[(int) rowBytes * ROWS * RowKernel.STREAMS];
        random.nextBytes(weights);
        RowStreams rows = new RowStreams(MemorySegment.ofArray(weights), 0, ROWS, ROWS * rowBytes, rowBytes);
        for (int tokens = 1; tokens <= one.tokens(); tokens++) {
            float[] values = new float[tokens * VECTORS * lanes];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            Inputs inputs = new Inputs(values, 0, tokens, VECTORS);
            float[] first = new float[ROWS * tokens * RowKernel.STREAMS * RowKernel.APART];
            float[] second = new float[first.length];
            one.multiply(rows, inputs, first);
            other.multiply(rows, inputs, second);
            for (int i = 0; i < first.length; i += RowKernel.APART) {
                if (Float.compare(first[i], second[i]) != 0) {
                    return false;
                }
            }
        }
        return true;
    }
}
