package dev.demitasse.infer.packed;

import dev.demitasse.infer.kernel.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/** From a group's integer sums to its results. */
final class SumScaling {
    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    private SumScaling() {}

    /**
     * Writes the group's results for one token to {@code y} from {@code to}.
     *
     * @param sums {@code [stretch, part, lane]}, of codes before the bias is taken off
     */
    static void write(
            PackedMatrix matrix, long from, int[] sums, BlockedInput input, int tile, int token, float[] y, int to) {
        PackedLayout layout = matrix.layout();
        MemorySegment data = matrix.data();
        int count = input.tokens(tile);
        int parts = layout.parts();
        float[] inputScales = input.scales();
        int[] starts = input.starts(layout.bias(), parts);
        float[] offsets = layout.minimum() ? input.offsets(parts) : inputScales;
        FloatVector result = FloatVector.zero(Lanes.FLOAT);
        int scaleAt = input.first(tile) + token;
        int sumAt = 0;
        for (int block = 0; block < matrix.blocks(); block++) {
            long head = from + (long) block * layout.blockBytes();
            FloatVector scale = halves(data, head);
            FloatVector minimum = layout.minimum() ? halves(data, head + 2L * Lanes.COUNT) : scale;
            long start = head + layout.headBytes();
            for (int stretch = 0; stretch < layout.stretches(); stretch++, scaleAt += count) {
                for (int part = 0; part < parts; part++, sumAt += Lanes.COUNT) {
                    int partAt = (scaleAt - token) * parts + part * count + token;
                    FloatVector products = (FloatVector) IntVector.fromArray(Lanes.INT, sums, sumAt)
                            .add(starts[partAt])
                            .convert(VectorOperators.I2F, 0);
                    long codeAt = start + (long) part * Lanes.COUNT;
                    FloatVector step = layout.scaleCodes() ? bytes(data, codeAt).mul(scale) : scale;
                    result = products.fma(step.mul(inputScales[scaleAt]), result);
                    if (layout.minimum()) {
                        FloatVector off = layout.minimumCodes()
                                ? bytes(data, codeAt + layout.minimumCodesAt()).mul(minimum)
                                : minimum;
                        result = off.fma(FloatVector.broadcast(Lanes.FLOAT, offsets[partAt]), result);
                    }
                }
                start += layout.stretchBytes();
            }
        }
        result.intoArray(y, to);
    }

    /** Signed. */
    static FloatVector bytes(MemorySegment data, long at) {
        return (FloatVector) ByteVector.fromMemorySegment(Lanes.BYTE, data, at, LITTLE)
                .convertShape(VectorOperators.B2F, Lanes.FLOAT, 0);
    }

    /**
     * Float16 less 112 in the exponent, which a multiplication makes up for exactly. Numbers that float16 holds
     * as subnormals are so here too, and slow: the scales of blocks of 32 are not that small, those of 256 are amortized.
     */
    static FloatVector halves(MemorySegment data, long at) {
        return ((IntVector) ShortVector.fromMemorySegment(Lanes.SHORT, data, at, LITTLE)
                        .convertShape(VectorOperators.S2I, Lanes.INT, 0))
                .lanewise(VectorOperators.LSHL, 13)
                .and(0x8fffe000)
                .reinterpretAsFloats()
                .mul(0x1p112f);
    }
}
