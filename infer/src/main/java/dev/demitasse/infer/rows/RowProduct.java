package dev.demitasse.infer.rows;

import dev.demitasse.infer.kernel.DotProduct;
import dev.demitasse.infer.kernel.Lanes;
import dev.demitasse.infer.kernel.RowDecoder;
import dev.demitasse.infer.packed.Kernels;
import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.infer.rows.RowKernel.Inputs;
import dev.demitasse.infer.rows.RowKernel.RowStreams;
import dev.demitasse.model.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import jdk.incubator.vector.FloatVector;

/**
 * y = x · Wᵀ of a few tokens over a matrix of F16, BF16 or F32, read where it lies, once. The work is parts of rows that stay in the
 * second cache while all tokens pass; a row's result depends on neither parts nor other tokens.
 */
public final class RowProduct {
    private static final int STREAMS = RowKernel.STREAMS;
    private static final int APART = RowKernel.APART;
    private static final int PART_BYTES = 256 << 10;

    private static final byte UNKNOWN = 0;
    private static final byte FINITE = 1;
    private static final byte SPECIAL = 2;

    private final Tensor weight;
    private final FloatFormat format;
    private final RowKernel kernel;
    private final int rowsAPart;
    private final int parts;

    /**
     * Whether parts hold nothing but finite numbers, found out when they are first multiplied, as they then come into the
     * caches anyway. Whoever else looks meanwhile finds out the same.
     */
    private final byte[] finite;

    /** What becomes of a sum. */
    public interface Finish {
        /** The result of a row whose products' sum is {@code sum}. */
        float result(float sum, int row);
    }

    private RowProduct(Tensor weight, FloatFormat format, RowKernel kernel) {
        this.weight = weight;
        this.format = format;
        this.kernel = kernel;
        long rows = Math.max(1, PART_BYTES / (STREAMS * weight.rowBytes())) * STREAMS;
        this.rowsAPart = (int) Math.min(rows, Math.ceilDiv(weight.rows(), STREAMS) * STREAMS);
        this.parts = Math.ceilDiv(weight.rows(), rowsAPart);
        this.finite = new byte[kernel.takesAll() ? 0 : parts];
    }

    /** Empty if the weight's format is none of the three. */
    public static Optional<RowProduct> of(Tensor weight, Kernels kernels) {
        return FloatFormat.of(weight.format())
                .map(format -> new RowProduct(
                        weight,
                        format,
                        switch (kernels) {
                            case AUTO, EMITTED ->
                                EmittedRowKernel.of(format).orElseGet(() -> new VectorRowKernel(format));
                            case EXACT, VECTOR -> new VectorRowKernel(format);
                            case SCALAR -> new ScalarRowKernel(format, Lanes.COUNT);
                        }));
    }

    /** Up to how many tokens this is faster than a product of tiles. */
    public int fewTokens() {
        return kernel.fewTokens();
    }

    /** y {@code [tokens, rows]} of x {@code [tokens, columns]}. */
    public void multiply(float[] x, int tokens, float[] y, Finish finish, Workers workers) {
        int exponent = exponent(x, tokens * weight.columns());
        float resultFactor = Math.scalb(1f, -exponent - kernel.weightExponent());
        List<Inputs> groups = new ArrayList<>();
        for (int first = 0; first < tokens; first += kernel.tokens()) {
            groups.add(inputs(x, first, Math.min(kernel.tokens(), tokens - first), Math.scalb(1f, exponent)));
        }
        workers.worth(weight.elements() * tokens).run(parts, part -> {
            int row = part * rowsAPart;
            int rows = Math.min(rowsAPart, weight.rows() - row);
            Results results = new Results(x, y, resultFactor, finish);
            if (takes(part, row, rows)) {
                int first = 0;
                for (Inputs group : groups) {
                    multiply(row, rows, group, first, results);
                    first += group.tokens();
                }
            } else {
                multiplyDecoded(row, rows, tokens, results);
            }
        });
    }

    /** The power of two that inputs are multiplied by, so that results are what they should be unless inputs would overflow. */
    private int exponent(float[] x, int count) {
        if (kernel.weightExponent() == 0) {
            return 0;
        }
        float largest = 0;
        for (int i = 0; i < count; i++) {
            largest = Math.max(largest, Math.abs(x[i]));
        }
        return Math.min(-kernel.weightExponent(), Float.MAX_EXPONENT - 1 - Math.getExponent(largest));
    }

    /** Some tokens as the kernel reads them: vectors side by side, multiplied by a factor if it is one in the Vector API. */
    private Inputs inputs(float[] x, int first, int tokens, float factor) {
        int columns = weight.columns();
        int lanes = kernel.lanes();
        int vectors = columns / lanes;
        if (tokens == 1 && factor == 1) {
            return new Inputs(x, first * columns, 1, vectors);
        }
        float[] values = new float[tokens * vectors * lanes];
        for (int token = 0; token < tokens; token++) {
            for (int vector = 0; vector < vectors; vector++) {
                int from = (first + token) * columns + vector * lanes;
                int to = (vector * tokens + token) * lanes;
                if (factor == 1) {
                    System.arraycopy(x, from, values, to, lanes);
                } else {
                    FloatVector.fromArray(Lanes.FLOAT, x, from).mul(factor).intoArray(values, to);
                }
            }
        }
        return new Inputs(values, 0, tokens, vectors);
    }

    private boolean takes(int part, int row, int rows) {
        if (kernel.takesAll()) {
            return true;
        }
        if (finite[part] == UNKNOWN) {
            long bytes = rows * weight.rowBytes();
            finite[part] = HalfScan.finite(weight.data(), row * weight.rowBytes(), bytes) ? FINITE : SPECIAL;
        }
        return finite[part] == FINITE;
    }

    /** Whole streams, then the rows that are left, each in all streams. */
    private void multiply(int row, int rows, Inputs inputs, int firstToken, Results results) {
        int count = rows / STREAMS;
        int left = rows % STREAMS;
        long rowBytes = weight.rowBytes();
        int tokens = inputs.tokens();
        float[] sums = new float[Math.max(count, left) * tokens * STREAMS * APART];
        if (count > 0) {
            kernel.multiply(
                    new RowStreams(weight.data(), row * rowBytes, count, count * rowBytes, rowBytes), inputs, sums);
            for (int i = 0; i < count * STREAMS; i++) {
                int at = i / count + i % count * tokens * STREAMS;
                results.put(sums, at, row + i, tokens, firstToken);
            }
        }
        if (left > 0) {
            int first = row + count * STREAMS;
            kernel.multiply(new RowStreams(weight.data(), first * rowBytes, left, 0, rowBytes), inputs, sums);
            for (int i = 0; i < left; i++) {
                results.put(sums, i * tokens * STREAMS, first + i, tokens, firstToken);
            }
        }
    }

    private void multiplyDecoded(int row, int rows, int tokens, Results results) {
        int columns = weight.columns();
        float[] decoded = new float[columns];
        for (int r = row; r < row + rows; r++) {
            RowDecoder.decode(weight, r, 0, columns, decoded, 0);
            for (int token = 0; token < tokens; token++) {
                float sum = DotProduct.of(decoded, 0, results.x, token * columns, columns);
                results.y[token * weight.rows() + r] = results.finish.result(sum, r);
            }
        }
    }

    /** Takes sums to results. */
    private final class Results {
        private final float[] x;
        private final float[] y;
        private final float factor;
        private final Finish finish;
        private final float[] tail = new float[weight.columns() % kernel.lanes()];

        Results(float[] x, float[] y, float factor, Finish finish) {
            this.x = x;
            this.y = y;
            this.factor = factor;
            this.finish = finish;
        }

        /** Of a row and some tokens, the first of them at {@code at} steps of {@link RowKernel#APART}. */
        void put(float[] sums, int at, int row, int tokens, int firstToken) {
            int columns = weight.columns();
            int whole = columns - tail.length;
            if (tail.length > 0) {
                RowDecoder.decode(weight, row, whole, tail.length, tail, 0);
            }
            for (int token = 0; token < tokens; token++) {
                float sum = sums[(at + token * STREAMS) * APART] * factor;
                for (int i = 0; i < tail.length; i++) {
                    sum = Math.fma(tail[i], x[(firstToken + token) * columns + whole + i], sum);
                }
                y[(firstToken + token) * weight.rows() + row] = finish.result(sum, row);
            }
        }
    }
}
