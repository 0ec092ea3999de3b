package dev.demitasse.quantize.transform;

import dev.demitasse.model.TensorKey;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.RoundToNearest;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Function;

/**
 * AWQ's factors: s_j = (mean|X_j|)^α, α the one of 0, 0.05 … 0.95 whose rounded weights give the least error of the
 * outputs, then divided by √(max s · min s) (Lin et al., arXiv:2306.00978, §3.2, equations 4 and 5). Channels that carry
 * much get more of the grid.
 *
 * <p>Deviation: the outputs are those of the projections themselves, not of the whole attention or feed-forward block,
 * and a sample of the rows and tokens decides, which for large models is what makes it a matter of seconds.
 *
 * @param grids of each weight; a weight without one stays as it is and does not decide
 */
public record Awq(Function<TensorKey, Optional<Grid>> grids) implements Factors {
    private static final int STEPS = 20;
    private static final float SMALLEST = 1e-4f;

    @Override
    public float[] choose(ScaledInput input) {
        float[] means = input.mean(input.seen().meanMagnitude());
        Optional<Grid> grid = input.readers().stream()
                .flatMap(reader -> grids.apply(reader.key()).stream())
                .findFirst();
        float[] ones = new float[input.count()];
        Arrays.fill(ones, 1);
        if (grid.isEmpty()) {
            return ones;
        }
        OutputProbe probe = new OutputProbe(input);
        return search(probe, means, grid.get(), input).factors();
    }

    /** Factors, and the squared error that each of the 20 exponents gave. */
    @SuppressWarnings("ArrayRecordComponent") // handed over, not compared
    record Choice(float[] factors, double[] errors) {}

    private static Choice search(OutputProbe probe, float[] means, Grid grid, ScaledInput input) {
        return search(probe, means, grid, input::spread);
    }

    /** The search for one weight whose factors are those of its columns. */
    static Choice search(Matrix weight, Matrix sample, float[] means, Grid grid) {
        return search(new OutputProbe(weight, sample), means, grid, factors -> factors);
    }

    private static Choice search(OutputProbe probe, float[] means, Grid grid, Function<float[], float[]> spread) {
        double[] errors = new double[STEPS];
        float[] best = means;
        double least = Double.POSITIVE_INFINITY;
        for (int step = 0; step < STEPS; step++) {
            float[] factors = factors(means, step / (double) STEPS);
            errors[step] = probe.error(spread.apply(factors), matrix -> rounded(matrix, grid), inputs -> inputs);
            if (errors[step] < least) {
                least = errors[step];
                best = factors;
            }
        }
        return new Choice(best, errors);
    }

    static float[] factors(float[] means, double alpha) {
        float[] factors = new float[means.length];
        float smallest = Float.POSITIVE_INFINITY;
        float largest = 0;
        for (int i = 0; i < factors.length; i++) {
            factors[i] = Math.max(SMALLEST, (float) Math.pow(means[i], alpha));
            smallest = Math.min(smallest, factors[i]);
            largest = Math.max(largest, factors[i]);
        }
        float middle = (float) Math.sqrt((double) smallest * largest);
        for (int i = 0; i < factors.length; i++) {
            factors[i] /= middle;
        }
        return factors;
    }

    private static Matrix rounded(Matrix weight, Grid grid) {
        return RoundToNearest.quantize(weight, grid).dequantized();
    }
}
