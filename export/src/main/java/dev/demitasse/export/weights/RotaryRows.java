package dev.demitasse.export.weights;

import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import java.util.function.IntUnaryOperator;

/**
 * Which row of a query or key projection goes where when the two dimensions that rotate together are to lie otherwise:
 * halves apart, as Hugging Face has them, or side by side, as GGUF has them. Both describe the same function, since
 * query and key move alike. Whole rows move, so packed formats can be moved too.
 */
public final class RotaryRows {
    private RotaryRows() {}

    /** For each row of the result, the row of the tensor of {@code key} in a checkpoint of {@code config}. */
    public static IntUnaryOperator order(ModelConfig config, TensorKey key, Pairing wanted) {
        boolean rotates = key.role() == Role.QUERY || key.role() == Role.KEY;
        if (!rotates || !(config.positions() instanceof Rotary rotary) || rotary.pairing() == wanted) {
            return IntUnaryOperator.identity();
        }
        int headDimension = config.attention().headDimension();
        int rotated = rotary.dimensions();
        return switch (wanted) {
            case INTERLEAVED -> row -> row - row % headDimension + halvesOf(row % headDimension, rotated);
            case HALVES -> row -> row - row % headDimension + pairsOf(row % headDimension, rotated);
        };
    }

    /** Where dimension {@code at} of a head with side-by-side pairs stands in one with halves. */
    private static int halvesOf(int at, int rotated) {
        return at >= rotated ? at : at % 2 * (rotated / 2) + at / 2;
    }

    /** Where dimension {@code at} of a head with halves stands in one with side-by-side pairs. */
    private static int pairsOf(int at, int rotated) {
        int half = rotated / 2;
        return at >= rotated ? at : at % half * 2 + at / half;
    }
}
