package dev.demitasse.infer.attention;

import dev.demitasse.infer.kernel.Lanes;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Keys and values as bytes with one scale for each {@value #GROUP} numbers of a head and position, rounded as Q8_0 rounds
 * weights: scale = largest magnitude / 127. Scales are floats; keys' lie as keys do, position in lanes.
 */
final class ByteBlocks implements KeyValueBlocks {
    private static final byte[] NOT_YET = {};
    private static final float[] NONE_YET = {};
    private static final int GROUP = 32;

    private final HeadShape shape;
    private final int groups;
    private final byte[][] keys;
    private final byte[][] values;
    private final float[][] keyScales;
    private final float[][] valueScales;

    ByteBlocks(HeadShape shape, int blocks) {
        this.shape = shape;
        this.groups = Math.ceilDiv(shape.stride(), GROUP);
        this.keys = new byte[blocks][];
        this.values = new byte[blocks][];
        this.keyScales = new float[blocks][];
        this.valueScales = new float[blocks][];
        Arrays.fill(keys, NOT_YET);
        Arrays.fill(values, NOT_YET);
        Arrays.fill(keyScales, NONE_YET);
        Arrays.fill(valueScales, NONE_YET);
    }

    @Override
    public void allocate(int block) {
        if (keys[block].length == 0) {
            keys[block] = new byte[shape.keys()];
            values[block] = new byte[shape.values()];
            keyScales[block] = new float[shape.heads() * groups * POSITIONS];
            valueScales[block] = new float[shape.heads() * groups * POSITIONS];
        }
    }

    @Override
    public void write(int block, int position, float[] newKeys, float[] newValues, int at) {
        int dimension = shape.dimension();
        for (int head = 0; head < shape.heads(); head++) {
            int keyTo = head * shape.keysOfHead() + position;
            int valueTo = head * shape.valuesOfHead() + position * shape.stride();
            for (int first = 0; first < dimension; first += GROUP) {
                int count = Math.min(GROUP, dimension - first);
                int from = at + head * dimension + first;
                int scaleAt = head * groups * POSITIONS;
                int group = first / GROUP;
                keyScales[block][scaleAt + group * POSITIONS + position] =
                        round(newKeys, from, count, keys[block], keyTo + first * POSITIONS, POSITIONS);
                valueScales[block][scaleAt + position * groups + group] =
                        round(newValues, from, count, values[block], valueTo + first, 1);
            }
        }
    }

    /** Writes codes of {@code count} numbers {@code step} apart, and returns their scale. */
    private static float round(float[] source, int from, int count, byte[] codes, int to, int step) {
        float largest = 0;
        for (int i = 0; i < count; i++) {
            largest = Math.max(largest, Math.abs(source[from + i]));
        }
        float scale = largest / Byte.MAX_VALUE;
        float inverse = scale == 0 ? 0 : 1 / scale;
        for (int i = 0; i < count; i++) {
            codes[to + i * step] = (byte) Math.clamp(Math.round(source[from + i] * inverse), -127, 127);
        }
        return scale;
    }

    @Override
    public float[] keys(int block, int head, float[] room) {
        byte[] codes = keys[block];
        float[] scales = keyScales[block];
        int codesAt = head * shape.keysOfHead();
        for (int d = 0; d < shape.dimension(); d++) {
            int scaleAt = (head * groups + d / GROUP) * POSITIONS;
            int to = d * POSITIONS;
            for (int i = 0; i < POSITIONS; i += Lanes.BYTE.length()) {
                ByteVector bytes = ByteVector.fromArray(Lanes.BYTE, codes, codesAt + to + i);
                for (int part = 0; part < Lanes.BYTE_PARTS; part++) {
                    int at = i + part * Lanes.COUNT;
                    ((FloatVector) bytes.convertShape(VectorOperators.B2F, Lanes.FLOAT, part))
                            .mul(FloatVector.fromArray(Lanes.FLOAT, scales, scaleAt + at))
                            .intoArray(room, to + at);
                }
            }
        }
        return room;
    }

    @Override
    public int keysAt(int head) {
        return 0;
    }

    @Override
    public float[] values(int block, int head, float[] room) {
        byte[] codes = values[block];
        float[] scales = valueScales[block];
        int codesAt = head * shape.valuesOfHead();
        int scaleAt = head * groups * POSITIONS;
        int stride = shape.stride();
        for (int position = 0; position < POSITIONS; position++) {
            for (int d = 0; d < stride; d += Lanes.COUNT) {
                float scale = scales[scaleAt + position * groups + d / GROUP];
                int at = position * stride + d;
                // As many bytes as floats where a vector can be that short; else the first half of eight.
                ByteVector bytes = at + Lanes.BYTE.length() <= shape.valuesOfHead()
                        ? ByteVector.fromArray(Lanes.BYTE, codes, codesAt + at)
                        : ByteVector.fromArray(
                                Lanes.BYTE, codes, codesAt + at, Lanes.BYTE.indexInRange(0, Lanes.COUNT));
                ((FloatVector) bytes.convertShape(VectorOperators.B2F, Lanes.FLOAT, 0))
                        .mul(scale)
                        .intoArray(room, at);
            }
        }
        return room;
    }

    @Override
    public int valuesAt(int head) {
        return 0;
    }
}
