package dev.demitasse.infer.packed;

import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.parallel.Workers;

/**
 * Inputs {@code [tokens, width]} cut into tiles of {@link MatrixKernel#ROWS} tokens by {@value #DEPTH} columns, each
 * contiguous: read one after the other, they are a stream. Tokens past the last are zeros.
 */
public final class FloatTiles {
    static final int DEPTH = 128;
    static final int TOKENS = MatrixKernel.ROWS;

    private final int tokens;
    private final int width;
    private final float[] tiles;

    /** @param values row-major */
    public FloatTiles(float[] values, int tokens, int width, Workers workers) {
        this.tokens = tokens;
        this.width = width;
        this.tiles = new float[Math.multiplyExact(blocks() * TOKENS, width)];
        workers.worth((long) tokens * width).run(blocks(), block -> fill(values, block));
    }

    private void fill(float[] values, int block) {
        int count = Math.min(TOKENS, tokens - block * TOKENS);
        for (int column = 0; column < width; column += DEPTH) {
            int depth = Math.min(DEPTH, width - column);
            for (int token = 0; token < count; token++) {
                int from = (block * TOKENS + token) * width + column;
                System.arraycopy(values, from, tiles, at(column, block) + token * depth, depth);
            }
        }
    }

    int tokens() {
        return tokens;
    }

    /** Of {@link #TOKENS} tokens, the last of them perhaps with fewer. */
    int blocks() {
        return Math.ceilDiv(tokens, TOKENS);
    }

    float[] tiles() {
        return tiles;
    }

    /** Where the tile of a block from {@code column} on begins: {@code [TOKENS, min(DEPTH, columns left)]}. */
    int at(int column, int block) {
        int depth = Math.min(DEPTH, width - column);
        return TOKENS * (column * blocks() + block * depth);
    }
}
