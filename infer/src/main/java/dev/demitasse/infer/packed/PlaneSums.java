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
 * Sums of products of two groups' codes with {@link TelescopedInput} factors, {@code [stretch, part, lane]} each. Two groups
 * share the factors' loads and give a short loop enough to do.
 *
 * <p>What C2 (JDK 25) makes of these loops depends on their form, by factors: loops over a known number of steps, nothing called
 * that is not part of the Vector API, shifts by vectors held in registers, not by constants.
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
    /** Four factors each make up a stretch of fields. */
    private static final int STEPS = 4;

    private final MemorySegment data;
    private final PackedLayout layout;
    /** Where each stretch begins, from the first on. */
    private final int[] stretches;

    private final int[] sums;
    private final int[] others;

    PlaneSums(PackedMatrix matrix) {
        this.data = matrix.data();
        this.layout = matrix.layout();
        this.stretches = new int[matrix.blocks() * layout.stretches()];
        for (int i = 0; i < stretches.length; i++) {
            stretches[i] =
                    i / layout.stretches() * layout.blockBytes() + i % layout.stretches() * layout.stretchBytes();
        }
        this.sums = new int[stretches.length * layout.parts() * Lanes.COUNT];
        this.others = new int[sums.length];
    }

    /** The first group's. */
    int[] sums() {
        return sums;
    }

    /** The second group's. */
    int[] others() {
        return others;
    }

    /** Adds the sums of a plane of the groups at {@code first} and {@code second}; those of the lowest plane replace others. */
    void add(Plane plane, long first, long second, int[] factors) {
        long offset = layout.headBytes() + layout.planesAt() + (long) plane.offset() * Lanes.COUNT;
        switch (plane.bits()) {
            case 8 -> {
                if (layout.table().isEmpty()) {
                    bytes(first + offset, second + offset, factors);
                } else {
                    levels(first + offset, factors, sums);
                    levels(second + offset, factors, others);
                }
            }
            case 4 -> {
                if (layout.parts() == 1) {
                    nibbles(first + offset, second + offset, factors);
                } else {
                    nibblesOfHalves(first + offset, second + offset, factors);
                }
            }
            case 2 -> pairs(first + offset, second + offset, plane.place(), factors);
            case 1 -> {
                bits(first + offset, plane.place(), factors, sums);
                bits(second + offset, plane.place(), factors, others);
            }
            default -> throw new IllegalStateException(plane.toString());
        }
    }

    private void bytes(long first, long second, int[] factors) {
        IntVector by8 = IntVector.broadcast(Lanes.INT, 8);
        IntVector by16 = IntVector.broadcast(Lanes.INT, 16);
        IntVector by24 = IntVector.broadcast(Lanes.INT, 24);
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = first + stretches[stretch];
            long otherAt = second + stretches[stretch];
            IntVector sum = IntVector.zero(Lanes.INT);
            IntVector other = sum;
            for (int vector = 0; vector < PackedLayout.VECTORS; vector++) {
                int factor = stretch * PackedLayout.STRETCH + 4 * vector;
                IntVector codes = IntVector.fromMemorySegment(Lanes.INT, data, at + vector * VECTOR, LITTLE);
                IntVector more = IntVector.fromMemorySegment(Lanes.INT, data, otherAt + vector * VECTOR, LITTLE);
                IntVector factor0 = IntVector.broadcast(Lanes.INT, factors[factor]);
                sum = sum.add(codes.mul(factor0));
                other = other.add(more.mul(factor0));
                IntVector factor1 = IntVector.broadcast(Lanes.INT, factors[factor + 1]);
                sum = sum.add(codes.lanewise(VectorOperators.LSHR, by8).mul(factor1));
                other = other.add(more.lanewise(VectorOperators.LSHR, by8).mul(factor1));
                IntVector factor2 = IntVector.broadcast(Lanes.INT, factors[factor + 2]);
                sum = sum.add(codes.lanewise(VectorOperators.LSHR, by16).mul(factor2));
                other = other.add(more.lanewise(VectorOperators.LSHR, by16).mul(factor2));
                IntVector factor3 = IntVector.broadcast(Lanes.INT, factors[factor + 3]);
                sum = sum.add(codes.lanewise(VectorOperators.LSHR, by24).mul(factor3));
                other = other.add(more.lanewise(VectorOperators.LSHR, by24).mul(factor3));
            }
            sum.intoArray(sums, stretch * Lanes.COUNT);
            other.intoArray(others, stretch * Lanes.COUNT);
        }
    }

    private void levels(long start, int[] factors, int[] target) {
        ByteVector table = table();
        IntVector by8 = IntVector.broadcast(Lanes.INT, 8);
        IntVector by16 = IntVector.broadcast(Lanes.INT, 16);
        IntVector by24 = IntVector.broadcast(Lanes.INT, 24);
        IntVector mask = IntVector.broadcast(Lanes.INT, 0x0f0f0f0f);
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = start + stretches[stretch];
            IntVector sum = IntVector.zero(Lanes.INT);
            for (int vector = 0; vector < PackedLayout.VECTORS; vector++) {
                int factor = stretch * PackedLayout.STRETCH + 4 * vector;
                IntVector raw = IntVector.fromMemorySegment(Lanes.INT, data, at + vector / 2 * VECTOR, LITTLE);
                IntVector codes = raw.lanewise(VectorOperators.LSHR, IntVector.broadcast(Lanes.INT, vector % 2 * 4))
                        .and(mask)
                        .reinterpretAsBytes()
                        .selectFrom(table)
                        .reinterpretAsInts();
                sum = sum.add(codes.mul(factors[factor]));
                sum = sum.add(codes.lanewise(VectorOperators.LSHR, by8).mul(factors[factor + 1]));
                sum = sum.add(codes.lanewise(VectorOperators.LSHR, by16).mul(factors[factor + 2]));
                sum = sum.add(codes.lanewise(VectorOperators.LSHR, by24).mul(factors[factor + 3]));
            }
            sum.intoArray(target, stretch * Lanes.COUNT);
        }
    }

    private ByteVector table() {
        byte[] levels = new byte[BYTES.length()];
        for (int code = 0; code < levels.length; code++) {
            levels[code] = layout.table().get(code % layout.table().size()).byteValue();
        }
        return ByteVector.fromArray(BYTES, levels, 0);
    }

    private void nibbles(long first, long second, int[] factors) {
        ShortVector by4 = ShortVector.broadcast(WORDS, 4);
        ShortVector by8 = ShortVector.broadcast(WORDS, 8);
        ShortVector by12 = ShortVector.broadcast(WORDS, 12);
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = first + stretches[stretch];
            long otherAt = second + stretches[stretch];
            ShortVector sum = ShortVector.zero(WORDS);
            ShortVector other = sum;
            for (int step = 0; step < STEPS; step++) {
                int factor = (stretch * STEPS + step) * 4;
                ShortVector words = ShortVector.fromMemorySegment(WORDS, data, at + step * VECTOR, LITTLE);
                ShortVector more = ShortVector.fromMemorySegment(WORDS, data, otherAt + step * VECTOR, LITTLE);
                ShortVector factor0 =
                        IntVector.broadcast(Lanes.INT, factors[factor]).reinterpretAsShorts();
                sum = sum.add(words.mul(factor0));
                other = other.add(more.mul(factor0));
                ShortVector factor1 =
                        IntVector.broadcast(Lanes.INT, factors[factor + 1]).reinterpretAsShorts();
                sum = sum.add(words.lanewise(VectorOperators.LSHR, by4).mul(factor1));
                other = other.add(more.lanewise(VectorOperators.LSHR, by4).mul(factor1));
                ShortVector factor2 =
                        IntVector.broadcast(Lanes.INT, factors[factor + 2]).reinterpretAsShorts();
                sum = sum.add(words.lanewise(VectorOperators.LSHR, by8).mul(factor2));
                other = other.add(more.lanewise(VectorOperators.LSHR, by8).mul(factor2));
                ShortVector factor3 =
                        IntVector.broadcast(Lanes.INT, factors[factor + 3]).reinterpretAsShorts();
                sum = sum.add(words.lanewise(VectorOperators.LSHR, by12).mul(factor3));
                other = other.add(more.lanewise(VectorOperators.LSHR, by12).mul(factor3));
            }
            IntVector sumsNow = sum.reinterpretAsInts();
            sumsNow.lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, 16)
                    .add(sumsNow.lanewise(VectorOperators.ASHR, 16))
                    .intoArray(sums, stretch * Lanes.COUNT);
            IntVector othersNow = other.reinterpretAsInts();
            othersNow
                    .lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, 16)
                    .add(othersNow.lanewise(VectorOperators.ASHR, 16))
                    .intoArray(others, stretch * Lanes.COUNT);
        }
    }

    /** Two parts to a stretch. */
    private void nibblesOfHalves(long first, long second, int[] factors) {
        ShortVector by4 = ShortVector.broadcast(WORDS, 4);
        ShortVector by8 = ShortVector.broadcast(WORDS, 8);
        ShortVector by12 = ShortVector.broadcast(WORDS, 12);
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = first + stretches[stretch];
            long otherAt = second + stretches[stretch];
            for (int part = 0; part < 2; part++) {
                ShortVector sum = ShortVector.zero(WORDS);
                ShortVector other = sum;
                for (int step = 2 * part; step < 2 * part + 2; step++) {
                    int factor = (stretch * STEPS + step) * 4;
                    ShortVector words = ShortVector.fromMemorySegment(WORDS, data, at + step * VECTOR, LITTLE);
                    ShortVector more = ShortVector.fromMemorySegment(WORDS, data, otherAt + step * VECTOR, LITTLE);
                    ShortVector factor0 =
                            IntVector.broadcast(Lanes.INT, factors[factor]).reinterpretAsShorts();
                    sum = sum.add(words.mul(factor0));
                    other = other.add(more.mul(factor0));
                    ShortVector factor1 =
                            IntVector.broadcast(Lanes.INT, factors[factor + 1]).reinterpretAsShorts();
                    sum = sum.add(words.lanewise(VectorOperators.LSHR, by4).mul(factor1));
                    other = other.add(more.lanewise(VectorOperators.LSHR, by4).mul(factor1));
                    ShortVector factor2 =
                            IntVector.broadcast(Lanes.INT, factors[factor + 2]).reinterpretAsShorts();
                    sum = sum.add(words.lanewise(VectorOperators.LSHR, by8).mul(factor2));
                    other = other.add(more.lanewise(VectorOperators.LSHR, by8).mul(factor2));
                    ShortVector factor3 =
                            IntVector.broadcast(Lanes.INT, factors[factor + 3]).reinterpretAsShorts();
                    sum = sum.add(words.lanewise(VectorOperators.LSHR, by12).mul(factor3));
                    other = other.add(more.lanewise(VectorOperators.LSHR, by12).mul(factor3));
                }
                IntVector sumsNow = sum.reinterpretAsInts();
                sumsNow.lanewise(VectorOperators.LSHL, 16)
                        .lanewise(VectorOperators.ASHR, 16)
                        .add(sumsNow.lanewise(VectorOperators.ASHR, 16))
                        .intoArray(sums, (2 * stretch + part) * Lanes.COUNT);
                IntVector othersNow = other.reinterpretAsInts();
                othersNow
                        .lanewise(VectorOperators.LSHL, 16)
                        .lanewise(VectorOperators.ASHR, 16)
                        .add(othersNow.lanewise(VectorOperators.ASHR, 16))
                        .intoArray(others, (2 * stretch + part) * Lanes.COUNT);
            }
        }
    }

    private void pairs(long first, long second, int place, int[] factors) {
        ShortVector by2 = ShortVector.broadcast(WORDS, 2);
        ShortVector by4 = ShortVector.broadcast(WORDS, 4);
        ShortVector by6 = ShortVector.broadcast(WORDS, 6);
        IntVector byPlace = IntVector.broadcast(Lanes.INT, place);
        IntVector keep = IntVector.broadcast(Lanes.INT, place == 0 ? 0 : -1);
        int parts = layout.parts();
        int steps = STEPS / parts;
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            long at = first + stretches[stretch];
            long otherAt = second + stretches[stretch];
            for (int part = 0; part < parts; part++) {
                ShortVector sum = ShortVector.zero(WORDS);
                ShortVector other = sum;
                for (int step = part * steps; step < (part + 1) * steps; step++) {
                    int factor = (stretch * STEPS + step) * 4;
                    ShortVector before = ShortVector.broadcast(WORDS, step % 2 * 8);
                    ShortVector words = ShortVector.fromMemorySegment(WORDS, data, at + step / 2 * VECTOR, LITTLE)
                            .lanewise(VectorOperators.LSHR, before);
                    ShortVector more = ShortVector.fromMemorySegment(WORDS, data, otherAt + step / 2 * VECTOR, LITTLE)
                            .lanewise(VectorOperators.LSHR, before);
                    ShortVector factor0 =
                            IntVector.broadcast(Lanes.INT, factors[factor]).reinterpretAsShorts();
                    sum = sum.add(words.mul(factor0));
                    other = other.add(more.mul(factor0));
                    ShortVector factor1 =
                            IntVector.broadcast(Lanes.INT, factors[factor + 1]).reinterpretAsShorts();
                    sum = sum.add(words.lanewise(VectorOperators.LSHR, by2).mul(factor1));
                    other = other.add(more.lanewise(VectorOperators.LSHR, by2).mul(factor1));
                    ShortVector factor2 =
                            IntVector.broadcast(Lanes.INT, factors[factor + 2]).reinterpretAsShorts();
                    sum = sum.add(words.lanewise(VectorOperators.LSHR, by4).mul(factor2));
                    other = other.add(more.lanewise(VectorOperators.LSHR, by4).mul(factor2));
                    ShortVector factor3 =
                            IntVector.broadcast(Lanes.INT, factors[factor + 3]).reinterpretAsShorts();
                    sum = sum.add(words.lanewise(VectorOperators.LSHR, by6).mul(factor3));
                    other = other.add(more.lanewise(VectorOperators.LSHR, by6).mul(factor3));
                }
                int to = (parts * stretch + part) * Lanes.COUNT;
                IntVector sumsNow = sum.reinterpretAsInts();
                sumsNow.lanewise(VectorOperators.LSHL, 16)
                        .lanewise(VectorOperators.ASHR, 16)
                        .add(sumsNow.lanewise(VectorOperators.ASHR, 16))
                        .lanewise(VectorOperators.LSHL, byPlace)
                        .add(IntVector.fromArray(Lanes.INT, sums, to).and(keep))
                        .intoArray(sums, to);
                IntVector othersNow = other.reinterpretAsInts();
                othersNow
                        .lanewise(VectorOperators.LSHL, 16)
                        .lanewise(VectorOperators.ASHR, 16)
                        .add(othersNow.lanewise(VectorOperators.ASHR, 16))
                        .lanewise(VectorOperators.LSHL, byPlace)
                        .add(IntVector.fromArray(Lanes.INT, others, to).and(keep))
                        .intoArray(others, to);
            }
        }
    }

    private void bits(long start, int place, int[] factors, int[] target) {
        ShortVector by1 = ShortVector.broadcast(WORDS, 1);
        ShortVector by2 = ShortVector.broadcast(WORDS, 2);
        ShortVector by3 = ShortVector.broadcast(WORDS, 3);
        int parts = layout.parts();
        ShortVector mask = ShortVector.broadcast(WORDS, parts == 1 ? -1 : 0x0f0f);
        IntVector byPlace = IntVector.broadcast(Lanes.INT, place);
        IntVector keep = IntVector.broadcast(Lanes.INT, place == 0 ? 0 : -1);
        for (int stretch = 0; stretch < stretches.length; stretch++) {
            ShortVector all = ShortVector.fromMemorySegment(WORDS, data, start + stretches[stretch], LITTLE);
            for (int part = 0; part < parts; part++) {
                ShortVector fields = all.lanewise(VectorOperators.LSHR, ShortVector.broadcast(WORDS, 4 * part))
                        .and(mask);
                ShortVector sum = ShortVector.zero(WORDS);
                for (int step = 0; step < STEPS / parts; step++) {
                    int factor = (stretch * STEPS + part * (STEPS / parts) + step) * 4;
                    ShortVector before = ShortVector.broadcast(WORDS, step * 4 * parts);
                    ShortVector words = fields.lanewise(VectorOperators.LSHR, before);
                    ShortVector factor0 =
                            IntVector.broadcast(Lanes.INT, factors[factor]).reinterpretAsShorts();
                    sum = sum.add(words.mul(factor0));
                    ShortVector factor1 =
                            IntVector.broadcast(Lanes.INT, factors[factor + 1]).reinterpretAsShorts();
                    sum = sum.add(words.lanewise(VectorOperators.LSHR, by1).mul(factor1));
                    ShortVector factor2 =
                            IntVector.broadcast(Lanes.INT, factors[factor + 2]).reinterpretAsShorts();
                    sum = sum.add(words.lanewise(VectorOperators.LSHR, by2).mul(factor2));
                    ShortVector factor3 =
                            IntVector.broadcast(Lanes.INT, factors[factor + 3]).reinterpretAsShorts();
                    sum = sum.add(words.lanewise(VectorOperators.LSHR, by3).mul(factor3));
                }
                int to = (parts * stretch + part) * Lanes.COUNT;
                IntVector targetNow = sum.reinterpretAsInts();
                targetNow
                        .lanewise(VectorOperators.LSHL, 16)
                        .lanewise(VectorOperators.ASHR, 16)
                        .add(targetNow.lanewise(VectorOperators.ASHR, 16))
                        .lanewise(VectorOperators.LSHL, byPlace)
                        .add(IntVector.fromArray(Lanes.INT, target, to).and(keep))
                        .intoArray(target, to);
            }
        }
    }
}
