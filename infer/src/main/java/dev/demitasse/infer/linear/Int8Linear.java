package dev.demitasse.infer.linear;

import dev.demitasse.infer.kernel.DotProduct;
import dev.demitasse.infer.kernel.MatrixKernel;
import dev.demitasse.infer.kernel.RowDecoder;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.InputQuantization;
import dev.demitasse.model.Tensor;
import java.util.Arrays;
import java.util.Optional;

/**
 * A projection over 8-bit weights with one scale a row, as ONNX's DynamicQuantizeLinear (or QuantizeLinear),
 * MatMulInteger, Cast and Mul compute it: the input rounded to 8 bits token by token (or by a fixed scale;
 * {@link QuantizedInput}), the products summed as 32-bit integers, the sum times (scale of the input · scale of the row), times
 * the token's magnitude.
 *
 * <p>The integer sums are computed by float multiply-adds, which lose nothing as long as they stay under 2²⁴, that is
 * over {@link TileProduct#DEPTH} columns; from stretch to stretch they are carried as ints. On x86 that is twice as
 * fast as multiplying ints, whose vector instruction takes two steps, and needs no instruction Java cannot name.
 */
public final class Int8Linear implements Linear {
    private final Tensor weight;
    private final float[] scales;
    private final float[] bias;
    private final Optional<InputQuantization> input;
    private final TileKernel tiles = TileKernel.of(Kernels.EXACT);

    private Int8Linear(Tensor weight, float[] scales, float[] bias, Optional<InputQuantization> input) {
        this.weight = weight;
        this.scales = scales;
        this.bias = bias;
        this.input = input;
    }

    /** By the range of each token of the input. */
    public static Int8Linear of(Tensor weight, Tensor scales, Optional<Tensor> bias) {
        return of(weight, scales, bias, Optional.empty());
    }

    /**
     * @param weight I8 codes {@code [out, in]}
     * @param scales one for each row, {@code [out]}
     * @param input how inputs are rounded; by the range of each token if nothing is fixed
     */
    public static Int8Linear of(
            Tensor weight, Tensor scales, Optional<Tensor> bias, Optional<InputQuantization> input) {
        if (scales.elements() != weight.rows()) {
            throw new IllegalArgumentException("%s with scales %s".formatted(weight, scales));
        }
        return new Int8Linear(weight, scales.toFloats(), FloatLinear.biasOf(weight, bias), input);
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
        QuantizedInput quantized = x.quantized(input);
        if (x.tokens() <= TileProduct.FEW_TOKENS) {
            multiplyRows(quantized, y, workers);
        } else {
            TileProduct.run(
                    weight,
                    tiles,
                    quantized.panels(workers),
                    x.tokens(),
                    workers,
                    size -> new Sums(y, quantized, size));
        }
    }

    private void multiplyRows(QuantizedInput x, float[] y, Workers workers) {
        int inputs = inputs();
        int outputs = outputs();
        int tokens = x.centred().tokens();
        float[] values = x.centred().values();
        workers.worth((long) outputs * inputs * tokens).run(Math.ceilDiv(outputs, TileProduct.TILE), tile -> {
            float[] decoded = new float[inputs];
            int last = Math.min(outputs, (tile + 1) * TileProduct.TILE);
            for (int row = tile * TileProduct.TILE; row < last; row++) {
                RowDecoder.decode(weight, row, 0, inputs, decoded, 0);
                for (int token = 0; token < tokens; token++) {
                    int sum = 0;
                    for (int column = 0; column < inputs; column += TileProduct.DEPTH) {
                        int depth = Math.min(TileProduct.DEPTH, inputs - column);
                        sum += (int) DotProduct.of(decoded, column, values, token * inputs + column, depth);
                    }
                    y[token * outputs + row] = result(sum, x, token, row);
                }
            }
        });
    }

    private float result(int sum, QuantizedInput x, int token, int row) {
        return x.product(sum, scales[row], token) + (bias.length == 0 ? 0 : bias[row]);
    }

    /** Integer sums of a tile. */
    private final class Sums implements TileProduct.Sums {
        private final float[] y;
        private final QuantizedInput x;
        private final int[] blocks;
        private final float[] block = new float[TileProduct.TILE * TileProduct.PANEL];

        Sums(float[] y, QuantizedInput x, int size) {
            this.y = y;
            this.blocks = new int[size];
            this.x = x;
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
            int size = groups * MatrixKernel.BLOCK;
            Arrays.fill(block, 0, size, 0);
            tiles.add(panels, panelAt, tokens, weights, groups, depth, block, 0);
            for (int i = 0; i < size; i++) {
                blocks[at + i] = (int) block[i] + (first ? 0 : blocks[at + i]);
            }
        }

        @Override
        public void store(int at, int row, int rows, int token, int tokens) {
            int outputs = outputs();
            for (int t = 0; t < tokens; t++) {
                int to = (token + t) * outputs + row;
                for (int r = 0; r < rows; r++) {
                    y[to + r] = result(blocks[at + r * TileProduct.PANEL + t], x, token + t, row + r);
                }
            }
        }
    }
}
