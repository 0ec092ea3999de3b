package dev.demitasse.infer.attention;

import java.util.Arrays;

/** Keys and values as they were computed. */
final class FloatBlocks implements KeyValueBlocks {
    private static final float[] NOT_YET = {};

    private final HeadShape shape;
    private final float[][] keys;
    private final float[][] values;

    FloatBlocks(HeadShape shape, int blocks) {
        this.shape = shape;
        this.keys = new float[blocks][];
        this.values = new float[blocks][];
        Arrays.fill(keys, NOT_YET);
        Arrays.fill(values, NOT_YET);
    }

    @Override
    public void allocate(int block) {
        if (keys[block].length == 0) {
            keys[block] = new float[shape.keys()];
            values[block] = new float[shape.values()];
        }
    }

    @Override
    public void write(int block, int position, float[] newKeys, float[] newValues, int at) {
        float[] to = keys[block];
        int width = shape.heads() * shape.dimension();
        for (int i = 0; i < width; i++) {
            to[i * POSITIONS + position] = newKeys[at + i];
        }
        for (int head = 0; head < shape.heads(); head++) {
            int from = at + head * shape.dimension();
            int valuesTo = valuesAt(head) + position * shape.stride();
            System.arraycopy(newValues, from, values[block], valuesTo, shape.dimension());
        }
    }

    @Override
    public float[] keys(int block, int head, float[] room) {
        return keys[block];
    }

    @Override
    public int keysAt(int head) {
        return head * shape.keysOfHead();
    }

    @Override
    public float[] values(int block, int head, float[] room) {
        return values[block];
    }

    @Override
    public int valuesAt(int head) {
        return head * shape.valuesOfHead();
    }
}
