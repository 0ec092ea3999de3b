package dev.demitasse.quantize.matrix;

import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import java.util.SplittableRandom;

/** Weights and activations for tests of algorithms. */
public final class MadeUpInputs {
    private MadeUpInputs() {}

    /** The second moment of {@code input}. */
    public static SecondMoment moment(Matrix input) {
        Hessian hessian = new Hessian(input.columns());
        hessian.add(input.values(), input.rows());
        return hessian.moment();
    }

    /** Inputs {@code [tokens, width]} of which a few directions carry most, as a layer's do. */
    public static Matrix correlated(int tokens, int width, long seed) {
        int directions = 24;
        Matrix sources = gaussian(tokens, directions, seed, 1);
        Matrix mixing = gaussian(directions, width, seed + 1, 0.3);
        Matrix result = gaussian(tokens, width, seed + 2, 0.3);
        for (int token = 0; token < tokens; token++) {
            for (int column = 0; column < width; column++) {
                for (int direction = 0; direction < directions; direction++) {
                    result.values()[token * width + column] +=
                            sources.at(token, direction) * mixing.at(direction, column) * (1 + column % 5);
                }
            }
        }
        return result;
    }

    /** Independent numbers. */
    public static Matrix gaussian(int rows, int columns, long seed, double deviation) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (deviation * random.nextGaussian());
        }
        return new Matrix(rows, columns, values);
    }
}
