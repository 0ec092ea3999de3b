package dev.demitasse.infer.rows;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/** A {@link RowKernel} in plain Java: what the others are to compute, and their check. */
record ScalarRowKernel(FloatFormat format, int lanes) implements RowKernel {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    @Override
    public int tokens() {
        return Integer.MAX_VALUE;
    }

    @Override
    public int fewTokens() {
        return 8;
    }

    @Override
    public int weightExponent() {
        return 0;
    }

    @Override
    public boolean takesAll() {
        return true;
    }

    @Override
    public void multiply(RowStreams rows, Inputs inputs, float[] sums) {
        float[] sum = new float[lanes];
        for (int row = 0; row < rows.count(); row++) {
            for (int stream = 0; stream < STREAMS; stream++) {
                long from = rows.offset() + row * rows.rowBytes() + stream * rows.apart();
                for (int token = 0; token < inputs.tokens(); token++) {
                    Arrays.fill(sum, 0);
                    for (int column = 0; column < inputs.vectors() * lanes; column++) {
                        int lane = column % lanes;
                        int vector = column / lanes;
                        float input = inputs.values()[inputs.at() + (vector * inputs.tokens() + token) * lanes + lane];
                        sum[lane] =
                                Math.fma(weight(rows.data(), from + (long) format.bytes() * column), input, sum[lane]);
                    }
                    sums[((row * inputs.tokens() + token) * STREAMS + stream) * APART] = sum(sum);
                }
            }
        }
    }

    private float sum(float[] sum) {
        for (int half = lanes / 2; half > 0; half /= 2) {
            for (int lane = 0; lane < half; lane++) {
                sum[lane] += sum[lane + half];
            }
        }
        return sum[0];
    }

    private float weight(MemorySegment data, long at) {
        return switch (format) {
            case F16 -> Float.float16ToFloat(data.get(SHORT, at));
            case BF16 -> Float.intBitsToFloat(data.get(SHORT, at) << 16);
            case F32 -> data.get(FLOAT, at);
        };
    }
}
