package dev.demitasse.infer.linear;

import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.kernel.RowDecoder;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.model.Tensor;

/** What a {@link TileProduct} of floats is made of: rows decoded, and products with a panel of tokens. */
sealed interface TileKernel permits TileKernel.Vector, EmittedTileKernel {
    /** Machine code where this machine runs it and it is not unwanted: it computes the same bits. */
    static TileKernel of(Kernels kernels) {
        return switch (kernels) {
            case EXACT, AUTO, EMITTED ->
                EmittedTileKernel.instance().<TileKernel>map(kernel -> kernel).orElseGet(Vector::new);
            case VECTOR, SCALAR -> new Vector();
        };
    }

    /** Decodes as {@link RowDecoder} does. */
    void decode(Tensor matrix, int row, int column, int count, float[] target, int at);

    /**
     * blocks {@code [group, ROWS, COLUMNS]} += weights {@code [group, ROWS, depth]} · panel {@code [depth, COLUMNS]}; ROWS
     * and COLUMNS are {@link MatrixKernel}'s.
     *
     * @param columns of the panel that matter; what is added to the others is right or nothing
     */
    void add(float[] panels, int panelAt, int columns, float[] weights, int groups, int depth, float[] blocks, int at);

    /** In the Vector API. */
    record Vector() implements TileKernel {
        @Override
        public void decode(Tensor matrix, int row, int column, int count, float[] target, int at) {
            RowDecoder.decode(matrix, row, column, count, target, at);
        }

        @Override
        public void add(
                float[] panels,
                int panelAt,
                int columns,
                float[] weights,
                int groups,
                int depth,
                float[] blocks,
                int at) {
            for (int group = 0; group < groups; group++) {
                int weightsAt = group * MatrixKernel.ROWS * depth;
                int to = at + group * MatrixKernel.BLOCK;
                MatrixKernel.add(
                        panels,
                        panelAt,
                        columns,
                        weights,
                        weightsAt,
                        depth,
                        depth,
                        1,
                        blocks,
                        to,
                        MatrixKernel.COLUMNS);
            }
        }
    }
}
