package dev.demitasse.infer.kernel;

import dev.demitasse.model.Tensor;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Decodes stretches of a matrix's rows to floats, bit for bit as {@link dev.demitasse.model.format.TensorFormat#decode}
 * does, in vector registers for the formats that weights come in. A weight whose rows have scales is given
 * without them.
 */
public final class RowDecoder {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final float TWO_TO_112 = 0x1p112f;

    private RowDecoder() {}

    /**
     * Decodes {@code count} elements of row {@code row} from {@code column} into {@code target} from {@code at}; column and
     * count are multiples of the format's block.
     */
    public static void decode(Tensor matrix, int row, int column, int count, float[] target, int at) {
        MemorySegment data = matrix.data();
        long offset = row * matrix.rowBytes()
                + (long) (column / matrix.format().blockSize())
                        * matrix.format().bytesPerBlock();
        switch (matrix.format()) {
            case Q8_0 format -> decodeQ8(data, offset, target, at, count);
            case Q4_0 format -> decodeQ4(data, offset, target, at, count);
            case BlockFormat format -> format.decode(data, offset, target, at, count);
            case ScalarFormat scalar -> {
                switch (scalar) {
                    case F16 -> decodeF16(data, offset, target, at, count);
                    case BF16 -> decodeBf16(data, offset, target, at, count);
                    case I8 -> decodeI8(data, offset, target, at, count);
                    case F32, F64, I64, I32, I16, F8_E4M3, U8, BOOL -> scalar.decode(data, offset, target, at, count);
                }
            }
        }
    }

    private static void decodeQ8(MemorySegment data, long offset, float[] target, int at, int count) {
        long start = offset;
        for (int block = at; block < at + count; block += Q8_0.BLOCK, start += 2 + Q8_0.BLOCK) {
            FloatVector scale = FloatVector.broadcast(Lanes.FLOAT, Float.float16ToFloat(data.get(SHORT, start)));
            for (int i = 0; i < Q8_0.BLOCK; i += Lanes.BYTE.length()) {
                ByteVector codes = ByteVector.fromMemorySegment(Lanes.BYTE, data, start + 2 + i, LITTLE);
                for (int part = 0; part < Lanes.BYTE_PARTS; part++) {
                    ((FloatVector) codes.convertShape(VectorOperators.B2F, Lanes.FLOAT, part))
                            .mul(scale)
                            .intoArray(target, block + i + part * Lanes.COUNT);
                }
            }
        }
    }

    private static void decodeQ4(MemorySegment data, long offset, float[] target, int at, int count) {
        int half = Q4_0.BLOCK / 2;
        long start = offset;
        for (int block = at; block < at + count; block += Q4_0.BLOCK, start += 2 + half) {
            FloatVector scale = FloatVector.broadcast(Lanes.FLOAT, Float.float16ToFloat(data.get(SHORT, start)));
            for (int i = 0; i < half; i += Lanes.BYTE.length()) {
                ByteVector pairs = ByteVector.fromMemorySegment(Lanes.BYTE, data, start + 2 + i, LITTLE);
                ByteVector low = pairs.and((byte) 15).sub((byte) 8);
                ByteVector high = pairs.lanewise(VectorOperators.LSHR, 4).sub((byte) 8);
                for (int part = 0; part < Lanes.BYTE_PARTS; part++) {
                    int to = block + i + part * Lanes.COUNT;
                    ((FloatVector) low.convertShape(VectorOperators.B2F, Lanes.FLOAT, part))
                            .mul(scale)
                            .intoArray(target, to);
                    ((FloatVector) high.convertShape(VectorOperators.B2F, Lanes.FLOAT, part))
                            .mul(scale)
                            .intoArray(target, to + half);
                }
            }
        }
    }

    private static void decodeI8(MemorySegment data, long offset, float[] target, int at, int count) {
        int whole = Lanes.BYTE.loopBound(count);
        for (int i = 0; i < whole; i += Lanes.BYTE.length()) {
            ByteVector codes = ByteVector.fromMemorySegment(Lanes.BYTE, data, offset + i, LITTLE);
            for (int part = 0; part < Lanes.BYTE_PARTS; part++) {
                ((FloatVector) codes.convertShape(VectorOperators.B2F, Lanes.FLOAT, part))
                        .intoArray(target, at + i + part * Lanes.COUNT);
            }
        }
        ScalarFormat.I8.decode(data, offset + whole, target, at + whole, count - whole);
    }

    /** The bits of a bfloat16 are a float's upper half. */
    private static void decodeBf16(MemorySegment data, long offset, float[] target, int at, int count) {
        int whole = Lanes.SHORT.loopBound(count);
        for (int i = 0; i < whole; i += Lanes.COUNT) {
            ((IntVector) ByteVector.fromMemorySegment(Lanes.SHORT_BYTES, data, offset + 2L * i, LITTLE)
                            .reinterpretAsShorts()
                            .convertShape(VectorOperators.S2I, Lanes.INT, 0))
                    .lanewise(VectorOperators.LSHL, 16)
                    .reinterpretAsFloats()
                    .intoArray(target, at + i);
        }
        ScalarFormat.BF16.decode(data, offset + 2L * whole, target, at + whole, count - whole);
    }

    /** The exponent is rebased by a multiplication, which makes float16's subnormals right; infinities it cannot. */
    private static void decodeF16(MemorySegment data, long offset, float[] target, int at, int count) {
        int whole = Lanes.SHORT.loopBound(count);
        for (int i = 0; i < whole; i += Lanes.COUNT) {
            IntVector bits = (IntVector) ByteVector.fromMemorySegment(Lanes.SHORT_BYTES, data, offset + 2L * i, LITTLE)
                    .reinterpretAsShorts()
                    .convertShape(VectorOperators.S2I, Lanes.INT, 0);
            IntVector magnitude = bits.and(0x7fff);
            FloatVector value = magnitude
                    .lanewise(VectorOperators.LSHL, 13)
                    .reinterpretAsFloats()
                    .mul(TWO_TO_112);
            IntVector sign = bits.and(0x8000).lanewise(VectorOperators.LSHL, 16);
            value.reinterpretAsInts().or(sign).reinterpretAsFloats().intoArray(target, at + i);
            if (magnitude.compare(VectorOperators.GE, 0x7c00).anyTrue()) {
                ScalarFormat.F16.decode(data, offset + 2L * i, target, at + i, Lanes.COUNT);
            }
        }
        ScalarFormat.F16.decode(data, offset + 2L * whole, target, at + whole, count - whole);
    }
}
