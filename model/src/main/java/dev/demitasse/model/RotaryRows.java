package dev.demitasse.model;

import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import java.lang.foreign.MemorySegment;

/**
 * The order of a query's or key's rows for either {@link Pairing}: moving whole rows turns one into the other and leaves
 * the function the model computes as it is. Works on weights {@code [heads · D, in]} in any format, biases and row scales
 * {@code [heads · D]}.
 */
public final class RotaryRows {
    private RotaryRows() {}

    /** Whether {@code role} has rows that pairs are formed of. */
    public static boolean rotate(Role role) {
        return role == Role.QUERY || role == Role.KEY;
    }

    /**
     * {@code tensor}, a part of the query or key of {@code config}, with its rows in the order that {@code wanted} asks
     * for: itself if they are, else a copy on the heap.
     */
    public static Tensor inOrder(Tensor tensor, ModelConfig config, Pairing wanted) {
        return switch (config.positions()) {
            case Rotary rotary ->
                rotary.pairing() == wanted
                        ? tensor
                        : reorder(tensor, config.attention().headDimension(), rotary.dimensions(), wanted);
        };
    }

    private static Tensor reorder(Tensor tensor, int headDimension, int rotated, Pairing wanted) {
        Tensor copy = Tensor.allocate(tensor.name(), tensor.format(), tensor.shape());
        MemorySegment from = tensor.data();
        MemorySegment to = copy.data();
        to.copyFrom(from);
        long rows = tensor.shape()[0];
        long rowBytes = from.byteSize() / rows;
        int half = rotated / 2;
        for (long head = 0; head < rows; head += headDimension) {
            for (int pair = 0; pair < half; pair++) {
                for (int side = 0; side < 2; side++) {
                    long halves = (head + side * half + pair) * rowBytes;
                    long interleaved = (head + 2L * pair + side) * rowBytes;
                    switch (wanted) {
                        case HALVES -> MemorySegment.copy(from, interleaved, to, halves, rowBytes);
                        case INTERLEAVED -> MemorySegment.copy(from, halves, to, interleaved, rowBytes);
                    }
                }
            }
        }
        return copy;
    }
}
