package dev.demitasse.infer.attention;

import dev.demitasse.infer.kernel.Elementwise;
import dev.demitasse.model.Attention;

/**
 * The sizes of what is kept of a position.
 *
 * @param heads of keys and values
 * @param dimension of a head
 * @param stride floats from one position's values to the next: the dimension in whole vectors
 */
record HeadShape(int heads, int dimension, int stride) {
    static HeadShape of(Attention attention) {
        return new HeadShape(
                attention.keyValueHeads(), attention.headDimension(), Elementwise.padded(attention.headDimension()));
    }

    /** Floats of all heads' keys in a block. */
    int keys() {
        return Math.multiplyExact(heads, keysOfHead());
    }

    /** Floats of all heads' values in a block. */
    int values() {
        return Math.multiplyExact(heads, valuesOfHead());
    }

    int keysOfHead() {
        return Math.multiplyExact(dimension, KeyValueBlocks.POSITIONS);
    }

    int valuesOfHead() {
        return Math.multiplyExact(stride, KeyValueBlocks.POSITIONS);
    }
}
