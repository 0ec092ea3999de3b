package dev.demitasse.infer.linear;

import dev.demitasse.infer.kernel.DotProduct;
import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.kernel.RowDecoder;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.rows.RowProduct;
import dev.demitasse.model.Tensor;
import java.util.Arrays;
import java.util.Optional;

/**
 * A projection in float arithmetic: floats multiplied with few tokens where they lie, weights of any other format, and of all formats
 * with many tokens, decoded a tile at a time, never as a whole.
 */
public final class FloatLinear implements Linear {
    private final Tensor weight;
    private final float[] scales;
    private final float[] bias;
    private final Optional<RowProduct> rows;
    private final TileKernel tiles;

    private FloatLinear(Tensor weight, float[] scales, float[] bias, Kernels kernels) {
        this.weight = weight;
        this.rows = RowProduct.of(weight, kernels);
        this.tiles = TileKernel.of(kernels);
        this.scales = scales;
        this.bias = bias;
    }

    /** @param scales one for each row, {@code [out]}, which its sums are multiplied by */
    static FloatLinear of(Tensor weight, Optional<Tensor> scales, Optional<Tensor> bias) {
        return of(weight, scales, bias, Kernels.EXACT);
    }

    /**
     * @param scales one for each row, {@code [out]}, which its sums are multiplied by
     * @param kernels what multiplies few tokens; all in float arithmetic
     */
    static FloatLinear of(Tensor weight, Optional<Tensor> scales, Optional<Tensor> bias, Kernels kernels) {
        float[] factors = scales.map(Tensor::toFloats).orElseGet(() -> new float[0]);
        if (scales.isPresent() && factors.length != weight.rows()) {
            throw new IllegalArgumentException("%d scales for %s".formatted(factors.length, weight));
        }
        return new FloatLinear(weight, factors, biasOf(weight, bias), kernels);
    }

    /** The bias as floats; none where there is none, as hundreds of experts would hold nothing but zeros. */
    static float[] biasOf(Tensor weight, Optional<Tensor> bias) {
        float[] values = bias.map(Tensor::toFloats).orElseGet(() -> new float[0]);
        if (bias.isPresent() && values.length != weight.rows()) {
            throw new IllegalArgumentException("a bias of %d for %s".formatted(values.length, weight));
        }
        return values;
    }

    @Override
    public int outputs() {
        return weight.rows();
    }

    @Override
    public int inputs() {
        return weight.columns();
    }

    @Override
    public void multiply(LinearInput x, float[] y, Workers workers) {
        TileProduct.check(this, x, y);
        if (rows.isPresent() && x.tokens() <= rows.get().fewTokens()) {
            rows.get().multiply(x.values(), x.tokens(), y, this::result, workers);
        } else if (x.tokens() <= TileProduct.FEW_TOKENS) {
            multiplyRows(x, y, workers);
        } else {
            TileProduct.run(weight, tiles, x.panels(workers), x.tokens(), workers, size -> new Sums(y, size));
        }
    }

    private void multiplyRows(LinearInput x, float[] y, Workers workers) {
        int inputs = inputs();
        int outputs = outputs();
        workers.worth((long) outputs * inputs * x.tokens()).run(Math.ceilDiv(outputs, TileProduct.TILE), tile -> {
            float[] decoded = new float[inputs];
            int last = Math.min(outputs, (tile + 1) * TileProduct.TILE);
            for (int row = tile * TileProduct.TILE; row < last; row++) {
                RowDecoder.decode(weight, row, 0, inputs, decoded, 0);
                for (int token = 0; token < x.tokens(); token++) {
                    float sum = DotProduct.of(decoded, 0, x.values(), token * inputs, inputs);
                    y[token * outputs + row] = result(sum, row);
                }
            }
        });
    }

    private float result(float sum, int row) {
        return (scales.length == 0 ? sum : sum * scales[row]) + (bias.length == 0 ? 0 : bias[row]);
    }

    /** Float sums of a tile, written with the bias. */
    private final class Sums implements TileProduct.Sums {
        private final float[] y;
        private final float[] blocks;

        Sums(float[] y, int size) {
            this.y = y;
            this.blocks = new float[size];
        }

        @Override
        public void add(
                float[] panels,
                int panelAt,
                int tokens,
                float[] weights,
                int groups,
                int depth,
                int at,
                boolean first) {
            if (first) {
                Arrays.fill(blocks, at, at + groups * MatrixKernel.BLOCK, 0);
            }
            tiles.add(panels, panelAt, tokens, weights, groups, depth, blocks, at);
        }

        @Override
        public void store(int at, int row, int rows, int token, int tokens) {
            for (int t = 0; t < tokens; t++) {
                int to = (token + t) * outputs() + row;
                for (int r = 0; r < rows; r++) {
                    y[to + r] = blocks[at + r * TileProduct.PANEL + t];
                }
                finish(y, to, row, rows);
            }
        }

        private void finish(float[] y, int at, int row, int rows) {
            for (int r = 0; r < rows && scales.length > 0; r++) {
                y[at + r] *= scales[row + r];
            }
            for (int r = 0; r < rows && bias.length > 0; r++) {
                y[at + r] += bias[row + r];
            }
        }
    }
}
