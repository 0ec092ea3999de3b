package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Several elements that share scales. Rows are whole blocks: a block never spans two rows. What a block stores is its
 * {@link #scheme}; where the bits lie is {@link #pack} and {@link #unpack}.
 */
public sealed interface BlockFormat extends TensorFormat
        permits Q8_0,
                Q4_0,
                Q4_1,
                Q5_0,
                Q5_1,
                Q2_K,
                Q3_K,
                Q4_K,
                Q5_K,
                Q6_K,
                IQ4_NL,
                IQ4_XS,
                TQ1_0,
                TQ2_0,
                MXFP4,
                IntegerGroup,
                NF4 {
    /** What a block stores. */
    BlockScheme scheme();

    /** Writes a block. */
    void pack(BlockNumbers numbers, MemorySegment target, long offset);

    /** Reads a block. */
    void unpack(MemorySegment source, long offset, BlockNumbers numbers);

    @Override
    default int blockSize() {
        return scheme().size();
    }

    @Override
    default void decode(MemorySegment source, long offset, float[] target, int at, int count) {
        BlockNumbers numbers = new BlockNumbers(scheme());
        int size = blockSize();
        for (int block = 0; block < count / size; block++) {
            unpack(source, offset + (long) block * bytesPerBlock(), numbers);
            numbers.decode(target, at + block * size);
        }
    }

    /** Rounds to nearest, by the scales that {@link BlockFit} finds where all elements matter alike. */
    @Override
    default void encode(float[] source, int at, int count, MemorySegment target, long offset) {
        int size = blockSize();
        BlockFit fit = new BlockFit(scheme());
        BlockNumbers numbers = new BlockNumbers(scheme());
        double[] values = new double[size];
        double[] importance = new double[size];
        Arrays.fill(importance, 1);
        for (int block = 0; block < count / size; block++) {
            for (int i = 0; i < size; i++) {
                values[i] = source[at + block * size + i];
            }
            fit.search(values, 0, importance, 0, numbers);
            pack(numbers, target, offset + (long) block * bytesPerBlock());
        }
    }
}
