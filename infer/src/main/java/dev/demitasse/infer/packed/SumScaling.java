package dev.demitasse.infer.packed;

import dev.demitasse.infer.kernel.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/** From a group's integer sums to its results for one token. */
final class SumScaling {
    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    private final MemorySegment data;
    private final PackedLayout layout;
    private final int blocks;
    private final int tokens;
    private final int token;
    /** Where the tile's scales begin, and times the parts of a stretch, its starts and offsets. */
    private final int tileAt;

    private final float[] inputScales;
    private final int[] starts;
    private final float[] offsets;

    /**
     * @param starts as {@link BlockedInput#starts}
     * @param offsets as {@link BlockedInput#offsets}; anything if the layout has no minimums
     */
    SumScaling(PackedMatrix matrix, BlockedInput input, int tile, int token, int[] starts, float[] offsets) {
        this.data = matrix.data();
        this.layout = matrix.layout();
        this.blocks = matrix.blocks();
        this.tokens = input.tokens(tile);
        this.token = token;
        this.tileAt = input.first(tile);
        this.inputScales = input.scales();
        this.starts = starts;
        this.offsets = offsets;
    }

    /**
     * Writes the results of the group at {@code from} to {@code y} from {@code to}.
     *
     * @param sums {@code [stretch, part, lane]}, of codes before the bias is taken off
     */
    void write(long from, int[] sums, float[] y, int to) {
        int parts = layout.parts();
        FloatVector result = FloatVector.zero(Lanes.FLOAT);
        int scaleAt = tileAt + token;
        int sumAt = 0;
        for (int block = 0; block < blocks; block++) {
            long head = from + (long) block * layout.blockBytes();
            FloatVector scale = halves(data, head);
            FloatVector minimum = layout.minimum() ? halves(data, head + 2L * Lanes.COUNT) : scale;
            long start = head + layout.headBytes();
            for (int stretch = 0; stretch < layout.stretches(); stretch++, scaleAt += tokens) {
                for (int part = 0; part < parts; part++, sumAt += Lanes.COUNT) {
                    int partAt = (scaleAt - token) * parts + part * tokens + token;
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
