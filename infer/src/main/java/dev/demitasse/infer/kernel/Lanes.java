package dev.demitasse.infer.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector shapes every kernel uses: floats as wide as the machine prefers (within 128 to 512 bits, so that a block of
 * 32 elements is whole vectors), and the narrower types with as many lanes.
 *
 * <p>To run at another width than the machine's own: {@code -XX:UseAVX=2} (256 bits), {@code -XX:MaxVectorSize=16} (128).
 */
public final class Lanes {
    public static final VectorSpecies<Float> FLOAT = floats();
    public static final int COUNT = FLOAT.length();
    public static final VectorSpecies<Integer> INT =
            VectorSpecies.of(int.class, VectorShape.forBitSize(COUNT * Integer.SIZE));
    public static final VectorSpecies<Short> SHORT =
            VectorSpecies.of(short.class, VectorShape.forBitSize(COUNT * Short.SIZE));

    /** As many bytes as floats, or, as no vector is narrower than 64 bits, twice as many: {@link #BYTE_PARTS}. */
    public static final VectorSpecies<Byte> BYTE =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, COUNT * Byte.SIZE)));

    /**
     * The bytes of {@link #SHORT} and of {@link #FLOAT}. Memory is read as bytes, which are then taken for what they are: of
     * wider elements from a heap segment, which is a byte array, the compiler makes no vector load (C2 of JDK 25: F16 decoded 30
     * times slower).
     */
    public static final VectorSpecies<Byte> SHORT_BYTES =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(COUNT * Short.SIZE));

    public static final VectorSpecies<Byte> FLOAT_BYTES =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(COUNT * Float.SIZE));

    /** How many vectors of floats the bytes of {@link #BYTE} widen to. */
    public static final int BYTE_PARTS = BYTE.length() / COUNT;

    private static final VectorShuffle<Float> BY_8 = rotation(8);
    private static final VectorShuffle<Float> BY_4 = rotation(4);
    private static final VectorShuffle<Float> BY_2 = rotation(2);
    private static final VectorShuffle<Float> BY_1 = rotation(1);

    private Lanes() {}

    /**
     * The sum of all lanes, halves added to halves. {@link FloatVector#reduceLanes} leaves the order open, and interpreted
     * and compiled code do differ.
     */
    public static float sum(FloatVector vector) {
        FloatVector sums = vector;
        if (COUNT > 8) {
            sums = sums.add(sums.rearrange(BY_8));
        }
        if (COUNT > 4) {
            sums = sums.add(sums.rearrange(BY_4));
        }
        sums = sums.add(sums.rearrange(BY_2));
        return sums.add(sums.rearrange(BY_1)).lane(0);
    }

    /** The largest of all lanes, NaN passed over; {@link #larger} says why not {@link FloatVector#reduceLanes}. */
    static float largest(FloatVector vector) {
        FloatVector largest = vector;
        if (COUNT > 8) {
            largest = larger(largest, largest.rearrange(BY_8));
        }
        if (COUNT > 4) {
            largest = larger(largest, largest.rearrange(BY_4));
        }
        largest = larger(largest, largest.rearrange(BY_2));
        return larger(largest, largest.rearrange(BY_1)).lane(0);
    }

    /**
     * The larger of each lane; {@code left}'s where either is NaN. {@link FloatVector#max} is defined as {@link Math#max} is,
     * which takes x86 six instructions where this takes two.
     */
    static FloatVector larger(FloatVector left, FloatVector right) {
        return left.blend(right, right.compare(VectorOperators.GT, left));
    }

    private static VectorShuffle<Float> rotation(int lanes) {
        return VectorShuffle.fromOp(FLOAT, lane -> (lane + lanes) % COUNT);
    }

    private static VectorSpecies<Float> floats() {
        VectorSpecies<Float> preferred = FloatVector.SPECIES_PREFERRED;
        if (preferred.vectorBitSize() > 512) {
            return FloatVector.SPECIES_512;
        }
        return preferred.vectorBitSize() < 128 ? FloatVector.SPECIES_128 : preferred;
    }
}
