package dev.demitasse.infer.packed;

import dev.demitasse.infer.kernel.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Sums of products of a group's codes with {@link TelescopedInput} factors, {@code [stretch, part, lane]}. Shifts are by vectors
 * held in registers, which C2 (JDK 25) does twice as fast as by constants.
 */
final class PlaneSums {
    /** What stands for codes that a table translates: bytes. */
    static final Plane LEVELS = new Plane(8, 0, 0);

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final VectorSpecies<Short> WORDS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(Lanes.COUNT * Integer.SIZE));
    private static final VectorSpecies<Byte> BYTES =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(Lanes.COUNT * Integer.SIZE));
    private static final int VECTOR = 4 * Lanes.COUNT;

    private final MemorySegment data;
    private final PackedLayout layout;
    /** Where each stretch begins, from the first on. */
    private final int[] stretches;

    private final int[] sums;

    /** @param sums takes up the sums */
    PlaneSums(PackedMatrix matrix, int[] sums) {
        this.data = matrix.data();
        this.layout = matrix.layout();
        this.stretches = new int[matrix.blocks() * layout.stretches()];
        for (int i = 0; i < stretches.length; i++) {
            stretches[i] =
                    i / layout.stretches() * layout.blockBytes() + i % layout.stretches() * layout.stretchBytes();
        }
        this.sums = sums;
    }

    int[] sums() {
        return sums;
    }

    /** Adds the sums of a plane of the group at {@code from}; those of the lowest plane replace what was there. */
    void add(Plane plane, long from, int[] factors) {
        long start = from + layout.headBytes() + layout.planesAt() + (long) plane.offset() * Lanes.COUNT;
        switch (plane.bits()) {
            case 8 -> {
                if (layout.table().isEmpty()) {
                    bytes(start, factors);
                } else {
                    levels(start, factors);
                }
            }
            case 4 -> {
                if (layout.parts() == 1) {
                    nibbles(start, factors);
                } else {
                    nibblesOfHalves(start, factors);
                }
            }
            case 2 -> pairs(start, plane.place(), factors);
            case 1 -> bits(start, plane.place(), factors);
            default -> throw new IllegalStateException(plane.toString());
        }
    }

    private void bytes(long start, int[] factors) {
        IntVector by8 = IntVector.broadcast(Lanes.INT, 8);
        IntVector by16 = IntVector.broadcast(Lanes.INT, 16);
        IntVector by24 = IntVector.broadcast(Lanes.INT, 24);
        int factor = 0;
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = start + stretches[stretch];
            IntVector sum = IntVector.zero(Lanes.INT);
            IntVector other = sum;
            for (int vector = 0; vector < PackedLayout.VECTORS; vector++, factor += 4) {
                IntVector codes = IntVector.fromMemorySegment(Lanes.INT, data, at + (long) vector * VECTOR, LITTLE);
                sum = sum.add(codes.mul(factors[factor]));
                other = other.add(codes.lanewise(VectorOperators.LSHR, by8).mul(factors[factor + 1]));
                sum = sum.add(codes.lanewise(VectorOperators.LSHR, by16).mul(factors[factor + 2]));
                other = other.add(codes.lanewise(VectorOperators.LSHR, by24).mul(factors[factor + 3]));
            }
            sum.add(other).intoArray(sums, stretch * Lanes.COUNT);
        }
    }

    private void levels(long start, int[] factors) {
        ByteVector table = table();
        IntVector by8 = IntVector.broadcast(Lanes.INT, 8);
        IntVector by16 = IntVector.broadcast(Lanes.INT, 16);
        IntVector by24 = IntVector.broadcast(Lanes.INT, 24);
        IntVector mask = IntVector.broadcast(Lanes.INT, 0x0f0f0f0f);
        int factor = 0;
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = start + stretches[stretch];
            IntVector sum = IntVector.zero(Lanes.INT);
            IntVector other = sum;
            for (int vector = 0; vector < PackedLayout.VECTORS; vector++, factor += 4) {
                IntVector raw = IntVector.fromMemorySegment(Lanes.INT, data, at + (long) (vector / 2) * VECTOR, LITTLE);
                IntVector codes = raw.lanewise(VectorOperators.LSHR, vector % 2 * 4)
                        .and(mask)
                        .reinterpretAsBytes()
                        .selectFrom(table)
                        .reinterpretAsInts();
                sum = sum.add(codes.mul(factors[factor]));
                other = other.add(codes.lanewise(VectorOperators.LSHR, by8).mul(factors[factor + 1]));
                sum = sum.add(codes.lanewise(VectorOperators.LSHR, by16).mul(factors[factor + 2]));
                other = other.add(codes.lanewise(VectorOperators.LSHR, by24).mul(factors[factor + 3]));
            }
            sum.add(other).intoArray(sums, stretch * Lanes.COUNT);
        }
    }

    private ByteVector table() {
        byte[] levels = new byte[BYTES.length()];
        for (int code = 0; code < levels.length; code++) {
            levels[code] = layout.table().get(code % layout.table().size()).byteValue();
        }
        return ByteVector.fromArray(BYTES, levels, 0);
    }

    private void nibbles(long start, int[] factors) {
        ShortVector by4 = ShortVector.broadcast(WORDS, 4);
        ShortVector by8 = ShortVector.broadcast(WORDS, 8);
        ShortVector by12 = ShortVector.broadcast(WORDS, 12);
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = start + stretches[stretch];
            int first = stretch * PackedLayout.STRETCH / 2;
            ShortVector sum = ShortVector.zero(WORDS);
            ShortVector other = sum;
            for (int vector = 0; vector < 4; vector++) {
                ShortVector words = ShortVector.fromMemorySegment(WORDS, data, at + vector * VECTOR, LITTLE);
                int factor = first + 4 * vector;
                sum = sum.add(words.mul(both(factors[factor])));
                other = other.add(words.lanewise(VectorOperators.LSHR, by4).mul(both(factors[factor + 1])));
                sum = sum.add(words.lanewise(VectorOperators.LSHR, by8).mul(both(factors[factor + 2])));
                other = other.add(words.lanewise(VectorOperators.LSHR, by12).mul(both(factors[factor + 3])));
            }
            total(sum.add(other)).intoArray(sums, stretch * Lanes.COUNT);
        }
    }

    /** Two parts to a stretch. The loops are written twice, as C2 unrolls those whose counts it knows. */
    private void nibblesOfHalves(long start, int[] factors) {
        ShortVector by4 = ShortVector.broadcast(WORDS, 4);
        ShortVector by8 = ShortVector.broadcast(WORDS, 8);
        ShortVector by12 = ShortVector.broadcast(WORDS, 12);
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = start + stretches[stretch];
            int first = stretch * PackedLayout.STRETCH / 2;
            for (int part = 0; part < 2; part++) {
                ShortVector sum = ShortVector.zero(WORDS);
                ShortVector other = sum;
                for (int vector = 2 * part; vector < 2 * part + 2; vector++) {
                    ShortVector words = ShortVector.fromMemorySegment(WORDS, data, at + vector * VECTOR, LITTLE);
                    int factor = first + 4 * vector;
                    sum = sum.add(words.mul(both(factors[factor])));
                    other = other.add(words.lanewise(VectorOperators.LSHR, by4).mul(both(factors[factor + 1])));
                    sum = sum.add(words.lanewise(VectorOperators.LSHR, by8).mul(both(factors[factor + 2])));
                    other = other.add(words.lanewise(VectorOperators.LSHR, by12).mul(both(factors[factor + 3])));
                }
                total(sum.add(other)).intoArray(sums, (2 * stretch + part) * Lanes.COUNT);
            }
        }
    }

    private void pairs(long start, int place, int[] factors) {
        ShortVector two = ShortVector.broadcast(WORDS, 2);
        int parts = layout.parts();
        int vectors = 2 / parts;
        int factor = 0;
        int to = 0;
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = start + stretches[stretch];
            for (int part = 0; part < parts; part++, to += Lanes.COUNT) {
                ShortVector sum = ShortVector.zero(WORDS);
                for (int vector = 0; vector < vectors; vector++, at += VECTOR) {
                    ShortVector words = ShortVector.fromMemorySegment(WORDS, data, at, LITTLE);
                    for (int field = 0; field < 8; field++, factor++) {
                        sum = sum.add(words.mul(both(factors[factor])));
                        words = words.lanewise(VectorOperators.LSHR, two);
                    }
                }
                store(total(sum), place, to);
            }
        }
    }

    private void bits(long start, int place, int[] factors) {
        int parts = layout.parts();
        ShortVector one = ShortVector.broadcast(WORDS, 1);
        ShortVector gap = ShortVector.broadcast(WORDS, 9 - 8 / parts);
        ShortVector mask = ShortVector.broadcast(WORDS, parts == 1 ? -1 : 0x0f0f);
        int factor = 0;
        int to = 0;
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = start + stretches[stretch];
            ShortVector all = ShortVector.fromMemorySegment(WORDS, data, at, LITTLE);
            for (int part = 0; part < parts; part++, to += Lanes.COUNT) {
                ShortVector words = all.lanewise(VectorOperators.LSHR, 4 * part).and(mask);
                ShortVector sum = ShortVector.zero(WORDS);
                for (int half = 0; half < 2; half++) {
                    for (int field = 1; field < 8 / parts; field++, factor++) {
                        sum = sum.add(words.mul(both(factors[factor])));
                        words = words.lanewise(VectorOperators.LSHR, one);
                    }
                    sum = sum.add(words.mul(both(factors[factor++])));
                    words = words.lanewise(VectorOperators.LSHR, gap);
                }
                store(total(sum), place, to);
            }
        }
    }

    /** The factors of both words of every row. */
    private static ShortVector both(int factors) {
        return IntVector.broadcast(Lanes.INT, factors).reinterpretAsShorts();
    }

    /** The sum of both words of every row. */
    private static IntVector total(ShortVector words) {
        IntVector ints = words.reinterpretAsInts();
        return ints.lanewise(VectorOperators.LSHL, 16)
                .lanewise(VectorOperators.ASHR, 16)
                .add(ints.lanewise(VectorOperators.ASHR, 16));
    }

    /** The sums of bits from {@code place} on, added to those of the bits below. */
    private void store(IntVector total, int place, int to) {
        if (place == 0) {
            total.intoArray(sums, to);
        } else {
            total.lanewise(VectorOperators.LSHL, place)
                    .add(IntVector.fromArray(Lanes.INT, sums, to))
                    .intoArray(sums, to);
        }
    }
}
