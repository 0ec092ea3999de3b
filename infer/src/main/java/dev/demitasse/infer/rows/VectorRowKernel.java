package dev.demitasse.infer.rows;

import dev.demitasse.infer.kernel.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * A {@link RowKernel} in the Vector API. The bits of a float16 become a float's by a shift; what its exponent then is short
 * of, a factor of 2¹¹², the inputs bring along. So its subnormals, which are floats' subnormals then, meet nothing but
 * multiply-adds, which take no longer for them; infinities and NaNs become numbers, and are not for this kernel.
 *
 * <p>Loops for one and for two tokens, each in a method of its own that keeps its sums in registers and ends in stores: with the
 * lanes' sums in the same method they are past what the compiler inlines, and run at a quarter of the speed.
 */
record VectorRowKernel(FloatFormat format) implements RowKernel {
    private static final int SIGN_AND_SHIFTED = 0x8fffe000;

    @Override
    public int lanes() {
        return Lanes.COUNT;
    }

    @Override
    public int tokens() {
        return 2;
    }

    @Override
    public int fewTokens() {
        return 8;
    }

    @Override
    public int weightExponent() {
        return format == FloatFormat.F16 ? -112 : 0;
    }

    @Override
    public boolean takesAll() {
        return format != FloatFormat.F16;
    }

    @Override
    public void multiply(RowStreams rows, Inputs inputs, float[] sums) {
        MemorySegment data = rows.data();
        long apart = rows.apart();
        float[] values = inputs.values();
        int at = inputs.at();
        int vectors = inputs.vectors();
        boolean one = inputs.tokens() == 1;
        float[] lanes = new float[STREAMS * inputs.tokens() * Lanes.COUNT];
        for (int row = 0; row < rows.count(); row++) {
            long offset = rows.offset() + row * rows.rowBytes();
            switch (format) {
                case F16 -> {
                    if (one) {
                        halvesOnce(data, offset, apart, values, at, vectors, lanes);
                    } else {
                        halvesTwice(data, offset, apart, values, at, vectors, lanes);
                    }
                }
                case BF16 -> {
                    if (one) {
                        upperHalvesOnce(data, offset, apart, values, at, vectors, lanes);
                    } else {
                        upperHalvesTwice(data, offset, apart, values, at, vectors, lanes);
                    }
                }
                case F32 -> {
                    if (one) {
                        floatsOnce(data, offset, apart, values, at, vectors, lanes);
                    } else {
                        floatsTwice(data, offset, apart, values, at, vectors, lanes);
                    }
                }
            }
            sumLanes(lanes, sums, row * lanes.length / Lanes.COUNT * APART);
        }
    }

    /** From {@code [token, stream, lane]} to sums. */
    private static void sumLanes(float[] lanes, float[] sums, int to) {
        for (int i = 0; i < lanes.length / Lanes.COUNT; i++) {
            sums[to + i * APART] = Lanes.sum(FloatVector.fromArray(Lanes.FLOAT, lanes, i * Lanes.COUNT));
        }
    }

    /** Float16, one token. */
    private static void halvesOnce(
            MemorySegment data, long offset, long apart, float[] inputs, int at, int vectors, float[] lanes) {
        FloatVector zero = FloatVector.zero(Lanes.FLOAT);
        FloatVector sum0 = zero;
        FloatVector sum1 = zero;
        FloatVector sum2 = zero;
        FloatVector sum3 = zero;
        for (int vector = 0; vector < vectors; vector++) {
            long from = offset + (long) vector * 2 * Lanes.COUNT;
            FloatVector input = FloatVector.fromArray(Lanes.FLOAT, inputs, at + vector * Lanes.COUNT);
            sum0 = halves(data, from).fma(input, sum0);
            sum1 = halves(data, from + apart).fma(input, sum1);
            sum2 = halves(data, from + 2 * apart).fma(input, sum2);
            sum3 = halves(data, from + 3 * apart).fma(input, sum3);
        }
        sum0.intoArray(lanes, 0);
        sum1.intoArray(lanes, Lanes.COUNT);
        sum2.intoArray(lanes, 2 * Lanes.COUNT);
        sum3.intoArray(lanes, 3 * Lanes.COUNT);
    }

    /** Float16, two tokens. */
    private static void halvesTwice(
            MemorySegment data, long offset, long apart, float[] inputs, int at, int vectors, float[] lanes) {
        FloatVector zero = FloatVector.zero(Lanes.FLOAT);
        FloatVector sum00 = zero;
        FloatVector sum01 = zero;
        FloatVector sum10 = zero;
        FloatVector sum11 = zero;
        FloatVector sum20 = zero;
        FloatVector sum21 = zero;
        FloatVector sum30 = zero;
        FloatVector sum31 = zero;
        for (int vector = 0; vector < vectors; vector++) {
            long from = offset + (long) vector * 2 * Lanes.COUNT;
            int place = at + 2 * vector * Lanes.COUNT;
            FloatVector input0 = FloatVector.fromArray(Lanes.FLOAT, inputs, place);
            FloatVector input1 = FloatVector.fromArray(Lanes.FLOAT, inputs, place + Lanes.COUNT);
            FloatVector weight0 = halves(data, from);
            sum00 = weight0.fma(input0, sum00);
            sum01 = weight0.fma(input1, sum01);
            FloatVector weight1 = halves(data, from + apart);
            sum10 = weight1.fma(input0, sum10);
            sum11 = weight1.fma(input1, sum11);
            FloatVector weight2 = halves(data, from + 2 * apart);
            sum20 = weight2.fma(input0, sum20);
            sum21 = weight2.fma(input1, sum21);
            FloatVector weight3 = halves(data, from + 3 * apart);
            sum30 = weight3.fma(input0, sum30);
            sum31 = weight3.fma(input1, sum31);
        }
        sum00.intoArray(lanes, 0);
        sum01.intoArray(lanes, 4 * Lanes.COUNT);
        sum10.intoArray(lanes, Lanes.COUNT);
        sum11.intoArray(lanes, 5 * Lanes.COUNT);
        sum20.intoArray(lanes, 2 * Lanes.COUNT);
        sum21.intoArray(lanes, 6 * Lanes.COUNT);
        sum30.intoArray(lanes, 3 * Lanes.COUNT);
        sum31.intoArray(lanes, 7 * Lanes.COUNT);
    }

    /** Bfloat16, one token. */
    private static void upperHalvesOnce(
            MemorySegment data, long offset, long apart, float[] inputs, int at, int vectors, float[] lanes) {
        FloatVector zero = FloatVector.zero(Lanes.FLOAT);
        FloatVector sum0 = zero;
        FloatVector sum1 = zero;
        FloatVector sum2 = zero;
        FloatVector sum3 = zero;
        for (int vector = 0; vector < vectors; vector++) {
            long from = offset + (long) vector * 2 * Lanes.COUNT;
            FloatVector input = FloatVector.fromArray(Lanes.FLOAT, inputs, at + vector * Lanes.COUNT);
            sum0 = upperHalves(data, from).fma(input, sum0);
            sum1 = upperHalves(data, from + apart).fma(input, sum1);
            sum2 = upperHalves(data, from + 2 * apart).fma(input, sum2);
            sum3 = upperHalves(data, from + 3 * apart).fma(input, sum3);
        }
        sum0.intoArray(lanes, 0);
        sum1.intoArray(lanes, Lanes.COUNT);
        sum2.intoArray(lanes, 2 * Lanes.COUNT);
        sum3.intoArray(lanes, 3 * Lanes.COUNT);
    }

    /** Bfloat16, two tokens. */
    private static void upperHalvesTwice(
            MemorySegment data, long offset, long apart, float[] inputs, int at, int vectors, float[] lanes) {
        FloatVector zero = FloatVector.zero(Lanes.FLOAT);
        FloatVector sum00 = zero;
        FloatVector sum01 = zero;
        FloatVector sum10 = zero;
        FloatVector sum11 = zero;
        FloatVector sum20 = zero;
        FloatVector sum21 = zero;
        FloatVector sum30 = zero;
        FloatVector sum31 = zero;
        for (int vector = 0; vector < vectors; vector++) {
            long from = offset + (long) vector * 2 * Lanes.COUNT;
            int place = at + 2 * vector * Lanes.COUNT;
            FloatVector input0 = FloatVector.fromArray(Lanes.FLOAT, inputs, place);
            FloatVector input1 = FloatVector.fromArray(Lanes.FLOAT, inputs, place + Lanes.COUNT);
            FloatVector weight0 = upperHalves(data, from);
            sum00 = weight0.fma(input0, sum00);
            sum01 = weight0.fma(input1, sum01);
            FloatVector weight1 = upperHalves(data, from + apart);
            sum10 = weight1.fma(input0, sum10);
            sum11 = weight1.fma(input1, sum11);
            FloatVector weight2 = upperHalves(data, from + 2 * apart);
            sum20 = weight2.fma(input0, sum20);
            sum21 = weight2.fma(input1, sum21);
            FloatVector weight3 = upperHalves(data, from + 3 * apart);
            sum30 = weight3.fma(input0, sum30);
            sum31 = weight3.fma(input1, sum31);
        }
        sum00.intoArray(lanes, 0);
        sum01.intoArray(lanes, 4 * Lanes.COUNT);
        sum10.intoArray(lanes, Lanes.COUNT);
        sum11.intoArray(lanes, 5 * Lanes.COUNT);
        sum20.intoArray(lanes, 2 * Lanes.COUNT);
        sum21.intoArray(lanes, 6 * Lanes.COUNT);
        sum30.intoArray(lanes, 3 * Lanes.COUNT);
        sum31.intoArray(lanes, 7 * Lanes.COUNT);
    }

    /** Floats, one token. */
    private static void floatsOnce(
            MemorySegment data, long offset, long apart, float[] inputs, int at, int vectors, float[] lanes) {
        FloatVector zero = FloatVector.zero(Lanes.FLOAT);
        FloatVector sum0 = zero;
        FloatVector sum1 = zero;
        FloatVector sum2 = zero;
        FloatVector sum3 = zero;
        for (int vector = 0; vector < vectors; vector++) {
            long from = offset + (long) vector * 4 * Lanes.COUNT;
            FloatVector input = FloatVector.fromArray(Lanes.FLOAT, inputs, at + vector * Lanes.COUNT);
            sum0 = floats(data, from).fma(input, sum0);
            sum1 = floats(data, from + apart).fma(input, sum1);
            sum2 = floats(data, from + 2 * apart).fma(input, sum2);
            sum3 = floats(data, from + 3 * apart).fma(input, sum3);
        }
        sum0.intoArray(lanes, 0);
        sum1.intoArray(lanes, Lanes.COUNT);
        sum2.intoArray(lanes, 2 * Lanes.COUNT);
        sum3.intoArray(lanes, 3 * Lanes.COUNT);
    }

    /** Floats, two tokens. */
    private static void floatsTwice(
            MemorySegment data, long offset, long apart, float[] inputs, int at, int vectors, float[] lanes) {
        FloatVector zero = FloatVector.zero(Lanes.FLOAT);
        FloatVector sum00 = zero;
        FloatVector sum01 = zero;
        FloatVector sum10 = zero;
        FloatVector sum11 = zero;
        FloatVector sum20 = zero;
        FloatVector sum21 = zero;
        FloatVector sum30 = zero;
        FloatVector sum31 = zero;
        for (int vector = 0; vector < vectors; vector++) {
            long from = offset + (long) vector * 4 * Lanes.COUNT;
            int place = at + 2 * vector * Lanes.COUNT;
            FloatVector input0 = FloatVector.fromArray(Lanes.FLOAT, inputs, place);
            FloatVector input1 = FloatVector.fromArray(Lanes.FLOAT, inputs, place + Lanes.COUNT);
            FloatVector weight0 = floats(data, from);
            sum00 = weight0.fma(input0, sum00);
            sum01 = weight0.fma(input1, sum01);
            FloatVector weight1 = floats(data, from + apart);
            sum10 = weight1.fma(input0, sum10);
            sum11 = weight1.fma(input1, sum11);
            FloatVector weight2 = floats(data, from + 2 * apart);
            sum20 = weight2.fma(input0, sum20);
            sum21 = weight2.fma(input1, sum21);
            FloatVector weight3 = floats(data, from + 3 * apart);
            sum30 = weight3.fma(input0, sum30);
            sum31 = weight3.fma(input1, sum31);
        }
        sum00.intoArray(lanes, 0);
        sum01.intoArray(lanes, 4 * Lanes.COUNT);
        sum10.intoArray(lanes, Lanes.COUNT);
        sum11.intoArray(lanes, 5 * Lanes.COUNT);
        sum20.intoArray(lanes, 2 * Lanes.COUNT);
        sum21.intoArray(lanes, 6 * Lanes.COUNT);
        sum30.intoArray(lanes, 3 * Lanes.COUNT);
        sum31.intoArray(lanes, 7 * Lanes.COUNT);
    }

    /** Float16, as floats 2¹¹² times smaller. */
    private static FloatVector halves(MemorySegment data, long offset) {
        return words(data, offset)
                .lanewise(VectorOperators.LSHL, 13)
                .and(SIGN_AND_SHIFTED)
                .reinterpretAsFloats();
    }

    /** Bfloat16. */
    private static FloatVector upperHalves(MemorySegment data, long offset) {
        return words(data, offset).lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    private static IntVector words(MemorySegment data, long offset) {
        return (IntVector) ByteVector.fromMemorySegment(Lanes.SHORT_BYTES, data, offset, ByteOrder.LITTLE_ENDIAN)
                .reinterpretAsShorts()
                .convertShape(VectorOperators.S2I, Lanes.INT, 0);
    }

    private static FloatVector floats(MemorySegment data, long offset) {
        return ByteVector.fromMemorySegment(Lanes.FLOAT_BYTES, data, offset, ByteOrder.LITTLE_ENDIAN)
                .reinterpretAsFloats();
    }
}
