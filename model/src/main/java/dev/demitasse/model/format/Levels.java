package dev.demitasse.model.format;

import java.util.Arrays;

/** The numbers that codes stand for before a scale is applied, in ascending order. */
public sealed interface Levels {
    /** What {@code code} stands for. */
    float of(int code);

    /** The code whose level is nearest to {@code value}; of integers halfway between two, the even one. */
    int nearest(double value);

    /** The level that is least. */
    float smallest();

    /** The level that is greatest. */
    float largest();

    /**
     * Integers, each its own code.
     *
     * @param least that an encoder uses; a file may hold less, as −128 where 8 bits are kept symmetric
     */
    record Integers(int least, int greatest) implements Levels {
        @Override
        public float of(int code) {
            return code;
        }

        @Override
        public int nearest(double value) {
            return (int) Math.max(least, Math.min(greatest, Math.rint(value)));
        }

        @Override
        public float smallest() {
            return least;
        }

        @Override
        public float largest() {
            return greatest;
        }
    }

    /** Any numbers, their codes the indices. */
    final class Table implements Levels {
        private static final int BUCKETS = 1024;

        private final float[] values;
        private final double[] middles;
        /** By bucket of the range, a code no greater than that of any value in it. */
        private final short[] guesses = new short[BUCKETS];

        /** @param values ascending, at least two */
        public Table(float... values) {
            this.values = values.clone();
            this.middles = new double[values.length - 1];
            Arrays.setAll(middles, i -> (values[i] + (double) values[i + 1]) / 2);
            for (int bucket = 1; bucket < BUCKETS; bucket++) {
                double from = values[0] + (bucket - 1) / bucketsPerUnit();
                int code = 0;
                while (code < middles.length && from > middles[code]) {
                    code++;
                }
                guesses[bucket] = (short) code;
            }
        }

        private double bucketsPerUnit() {
            return BUCKETS / ((double) values[values.length - 1] - values[0]);
        }

        /** How many there are. */
        public int count() {
            return values.length;
        }

        @Override
        public float of(int code) {
            return values[code];
        }

        /** What {@code count} codes from {@code from}, unsigned, stand for, into {@code target} from {@code at}. */
        void read(byte[] codes, int from, int count, float[] target, int at) {
            for (int i = 0; i < count; i++) {
                target[at + i] = values[codes[from + i] & 0xff];
            }
        }

        @Override
        public int nearest(double value) {
            double bucket = (value - values[0]) * bucketsPerUnit();
            int code = guesses[(int) Math.max(0, Math.min(BUCKETS - 1, bucket))];
            while (code < middles.length && value > middles[code]) {
                code++;
            }
            return code;
        }

        @Override
        public float smallest() {
            return values[0];
        }

        @Override
        public float largest() {
            return values[values.length - 1];
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Table table && Arrays.equals(values, table.values);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(values);
        }

        @Override
        public String toString() {
            return Arrays.toString(values);
        }
    }
}
