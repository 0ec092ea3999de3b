package dev.demitasse.infer.linear;

import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.TensorKey;
import java.util.Optional;

/**
 * A projection some of whose columns are kept apart from a quantized matrix: that one sees the input with their numbers left
 * out, so that these take no part in the range that activations are rounded by either, and their own product is added
 * (Dettmers et al., LLM.int8(), arXiv:2208.07339, §3.2, equation 8).
 */
public final class OutlierLinear implements Linear {
    private final Linear matrix;
    private final int[] columns;
    private final Linear kept;

    private OutlierLinear(Linear matrix, int[] columns, Linear kept) {
        this.matrix = matrix;
        this.columns = columns;
        this.kept = kept;
    }

    /**
     * The projection {@code key} as a whole.
     *
     * @param matrix of all its columns; those that {@code source} keeps beside it are not used
     */
    static Linear around(Linear matrix, WeightSource source, TensorKey key) {
        return Outliers.find(key, source::has, source::tensor)
                .<Linear>map(kept ->
                        new OutlierLinear(matrix, kept.columns().clone(), Linear.of(kept.values(), Optional.empty())))
                .orElse(matrix);
    }

    @Override
    public int outputs() {
        return matrix.outputs();
    }

    @Override
    public int inputs() {
        return matrix.inputs();
    }

    @Override
    public void multiply(LinearInput x, float[] y, Workers workers) {
        TileProduct.check(this, x, y);
        int tokens = x.tokens();
        float[] without = x.values().clone();
        float[] outliers = new float[Math.multiplyExact(tokens, columns.length)];
        for (int token = 0; token < tokens; token++) {
            for (int i = 0; i < columns.length; i++) {
                int at = token * x.width() + columns[i];
                outliers[token * columns.length + i] = without[at];
                without[at] = 0;
            }
        }
        matrix.multiply(new LinearInput(without, tokens, x.width()), y, workers);
        float[] added = kept.multiply(new LinearInput(outliers, tokens, columns.length), workers);
        for (int i = 0; i < added.length; i++) {
            y[i] += added[i];
        }
    }
}
