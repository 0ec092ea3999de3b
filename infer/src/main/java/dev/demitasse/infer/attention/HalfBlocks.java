package dev.demitasse.infer.attention;

import java.util.Arrays;

/** Keys and values as float16; what that cannot hold becomes the largest number it can. */
final class HalfBlocks implements KeyValueBlocks {
    private static final short[] NOT_YET = {};
    private static final float LARGEST = 65504;

    private final HeadShape shape;
    private final short[][] keys;
    private final short[][] values;

    HalfBlocks(HeadShape shape, int blocks) {
        this.shape = shape;
        this.keys = new short[blocks][];
        this.values = new short[blocks][];
        Arrays.fill(keys, NOT_YET);
        Arrays.fill(values, NOT_YET);
    }

    @Override
    public void allocate(int block) {
        if (keys[block].length == 0) {
            keys[block] = new short[shape.keys()];
            values[block] = new short[shape.values()];
        }
    }

    @Override
    public void write(int block, int position, float[] newKeys, float[] newValues, int at) {
        short[] keysTo = keys[block];
        short[] valuesTo = values[block];
        int dimension = shape.dimension();
        for (int head = 0; head < shape.heads(); head++) {
            int from = at + head * dimension;
            int keyTo = head * shape.keysOfHead() + position;
            int valueTo = head * shape.valuesOfHead() + position * shape.stride();
            for (int d = 0; d < dimension; d++) {
                keysTo[keyTo + d * POSITIONS] = half(newKeys[from + d]);
                valuesTo[valueTo + d] = half(newValues[from + d]);
            }
        }
    }

    private static short half(float value) {
        return Float.floatToFloat16(Math.clamp(value, -LARGEST, LARGEST));
    }

    @Override
    public float[] keys(int block, int head, float[] room) {
        return decode(keys[block], head * shape.keysOfHead(), shape.keysOfHead(), room);
    }

    @Override
    public int keysAt(int head) {
        return 0;
    }

    @Override
    public float[] values(int block, int head, float[] room) {
        return decode(values[block], head * shape.valuesOfHead(), shape.valuesOfHead(), room);
    }

    @Override
    public int valuesAt(int head) {
        return 0;
    }

    /** A loop that C2 makes vector conversions of. */
    private static float[] decode(short[] halves, int at, int count, float[] room) {
        for (int i = 0; i < count; i++) {
            room[i] = Float.float16ToFloat(halves[at + i]);
        }
        return room;
    }
}
