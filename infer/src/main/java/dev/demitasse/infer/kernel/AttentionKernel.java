package dev.demitasse.infer.kernel;

import jdk.incubator.vector.FloatVector;

/**
 * What attention does with a tile of queries and a block of keys and values: the two products, and between them the step of
 * a softmax that sees the scores a block at a time (Milakov and Gimelshein, arXiv:1805.02867, algorithm 3).
 */
public final class AttentionKernel {
    /** What the largest score is taken to be before there is one: less than any, and finite, as differences of it are taken. */
    public static final float NO_SCORE = -1e30f;

    /** 32 vector registers hold sums of four rows by four vectors; 16 hold four by two. */
    private static final boolean WIDE =
            Lanes.COUNT == 16 || System.getProperty("os.arch").equals("aarch64");

    private AttentionKernel() {}

    /**
     * target {@code [rows, columns]} += left {@code [rows, depth]} · right {@code [depth, columns]}, each number a sum of
     * its own, in order: it depends on nothing but its row and its column.
     *
     * @param columns a multiple of {@link Lanes#COUNT}
     */
    public static void multiply(
            float[] left,
            int leftStride,
            int rows,
            float[] right,
            int rightAt,
            int rightStride,
            int depth,
            int columns,
            float[] target,
            int targetStride) {
        int row = 0;
        for (; row <= rows - 4; row += 4) {
            int leftAt = row * leftStride;
            int column = 0;
            for (; WIDE && column <= columns - 4 * Lanes.COUNT; column += 4 * Lanes.COUNT) {
                int targetAt = row * targetStride + column;
                fourByFour(
                        left,
                        leftAt,
                        leftStride,
                        right,
                        rightAt + column,
                        rightStride,
                        depth,
                        target,
                        targetAt,
                        targetStride);
            }
            for (; column <= columns - 2 * Lanes.COUNT; column += 2 * Lanes.COUNT) {
                int targetAt = row * targetStride + column;
                fourByTwo(
                        left,
                        leftAt,
                        leftStride,
                        right,
                        rightAt + column,
                        rightStride,
                        depth,
                        target,
                        targetAt,
                        targetStride);
            }
            for (; column < columns; column += Lanes.COUNT) {
                for (int next = 0; next < 4; next++) {
                    int targetAt = (row + next) * targetStride + column;
                    oneByOne(
                            left,
                            leftAt + next * leftStride,
                            right,
                            rightAt + column,
                            rightStride,
                            depth,
                            target,
                            targetAt);
                }
            }
        }
        for (; row < rows; row++) {
            multiplyRow(
                    left, row * leftStride, right, rightAt, rightStride, depth, columns, target, row * targetStride);
        }
    }

    private static void multiplyRow(
            float[] left,
            int leftAt,
            float[] right,
            int rightAt,
            int rightStride,
            int depth,
            int columns,
            float[] target,
            int targetAt) {
        int column = 0;
        for (; column <= columns - 4 * Lanes.COUNT; column += 4 * Lanes.COUNT) {
            oneByFour(left, leftAt, right, rightAt + column, rightStride, depth, target, targetAt + column);
        }
        for (; column < columns; column += Lanes.COUNT) {
            oneByOne(left, leftAt, right, rightAt + column, rightStride, depth, target, targetAt + column);
        }
    }

    private static void fourByFour(
            float[] left,
            int leftAt,
            int leftStride,
            float[] right,
            int rightAt,
            int rightStride,
            int depth,
            float[] target,
            int targetAt,
            int targetStride) {
        int target1 = targetAt + targetStride;
        int target2 = target1 + targetStride;
        int target3 = target2 + targetStride;
        FloatVector sum00 = load(target, targetAt);
        FloatVector sum01 = load(target, targetAt + Lanes.COUNT);
        FloatVector sum02 = load(target, targetAt + 2 * Lanes.COUNT);
        FloatVector sum03 = load(target, targetAt + 3 * Lanes.COUNT);
        FloatVector sum10 = load(target, target1);
        FloatVector sum11 = load(target, target1 + Lanes.COUNT);
        FloatVector sum12 = load(target, target1 + 2 * Lanes.COUNT);
        FloatVector sum13 = load(target, target1 + 3 * Lanes.COUNT);
        FloatVector sum20 = load(target, target2);
        FloatVector sum21 = load(target, target2 + Lanes.COUNT);
        FloatVector sum22 = load(target, target2 + 2 * Lanes.COUNT);
        FloatVector sum23 = load(target, target2 + 3 * Lanes.COUNT);
        FloatVector sum30 = load(target, target3);
        FloatVector sum31 = load(target, target3 + Lanes.COUNT);
        FloatVector sum32 = load(target, target3 + 2 * Lanes.COUNT);
        FloatVector sum33 = load(target, target3 + 3 * Lanes.COUNT);
        int left1 = leftAt + leftStride;
        int left2 = left1 + leftStride;
        int left3 = left2 + leftStride;
        for (int k = 0; k < depth; k++) {
            int at = rightAt + k * rightStride;
            FloatVector right0 = load(right, at);
            FloatVector right1 = load(right, at + Lanes.COUNT);
            FloatVector right2 = load(right, at + 2 * Lanes.COUNT);
            FloatVector right3 = load(right, at + 3 * Lanes.COUNT);
            FloatVector value0 = FloatVector.broadcast(Lanes.FLOAT, left[leftAt + k]);
            sum00 = value0.fma(right0, sum00);
            sum01 = value0.fma(right1, sum01);
            sum02 = value0.fma(right2, sum02);
            sum03 = value0.fma(right3, sum03);
            FloatVector value1 = FloatVector.broadcast(Lanes.FLOAT, left[left1 + k]);
            sum10 = value1.fma(right0, sum10);
            sum11 = value1.fma(right1, sum11);
            sum12 = value1.fma(right2, sum12);
            sum13 = value1.fma(right3, sum13);
            FloatVector value2 = FloatVector.broadcast(Lanes.FLOAT, left[left2 + k]);
            sum20 = value2.fma(right0, sum20);
            sum21 = value2.fma(right1, sum21);
            sum22 = value2.fma(right2, sum22);
            sum23 = value2.fma(right3, sum23);
            FloatVector value3 = FloatVector.broadcast(Lanes.FLOAT, left[left3 + k]);
            sum30 = value3.fma(right0, sum30);
            sum31 = value3.fma(right1, sum31);
            sum32 = value3.fma(right2, sum32);
            sum33 = value3.fma(right3, sum33);
        }
        sum00.intoArray(target, targetAt);
        sum01.intoArray(target, targetAt + Lanes.COUNT);
        sum02.intoArray(target, targetAt + 2 * Lanes.COUNT);
        sum03.intoArray(target, targetAt + 3 * Lanes.COUNT);
        sum10.intoArray(target, target1);
        sum11.intoArray(target, target1 + Lanes.COUNT);
        sum12.intoArray(target, target1 + 2 * Lanes.COUNT);
        sum13.intoArray(target, target1 + 3 * Lanes.COUNT);
        sum20.intoArray(target, target2);
        sum21.intoArray(target, target2 + Lanes.COUNT);
        sum22.intoArray(target, target2 + 2 * Lanes.COUNT);
        sum23.intoArray(target, target2 + 3 * Lanes.COUNT);
        sum30.intoArray(target, target3);
        sum31.intoArray(target, target3 + Lanes.COUNT);
        sum32.intoArray(target, target3 + 2 * Lanes.COUNT);
        sum33.intoArray(target, target3 + 3 * Lanes.COUNT);
    }

    private static void fourByTwo(
            float[] left,
            int leftAt,
            int leftStride,
            float[] right,
            int rightAt,
            int rightStride,
            int depth,
            float[] target,
            int targetAt,
            int targetStride) {
        int target1 = targetAt + targetStride;
        int target2 = target1 + targetStride;
        int target3 = target2 + targetStride;
        FloatVector sum00 = load(target, targetAt);
        FloatVector sum01 = load(target, targetAt + Lanes.COUNT);
        FloatVector sum10 = load(target, target1);
        FloatVector sum11 = load(target, target1 + Lanes.COUNT);
        FloatVector sum20 = load(target, target2);
        FloatVector sum21 = load(target, target2 + Lanes.COUNT);
        FloatVector sum30 = load(target, target3);
        FloatVector sum31 = load(target, target3 + Lanes.COUNT);
        int left1 = leftAt + leftStride;
        int left2 = left1 + leftStride;
        int left3 = left2 + leftStride;
        for (int k = 0; k < depth; k++) {
            int at = rightAt + k * rightStride;
            FloatVector right0 = load(right, at);
            FloatVector right1 = load(right, at + Lanes.COUNT);
            FloatVector value0 = FloatVector.broadcast(Lanes.FLOAT, left[leftAt + k]);
            sum00 = value0.fma(right0, sum00);
            sum01 = value0.fma(right1, sum01);
            FloatVector value1 = FloatVector.broadcast(Lanes.FLOAT, left[left1 + k]);
            sum10 = value1.fma(right0, sum10);
            sum11 = value1.fma(right1, sum11);
            FloatVector value2 = FloatVector.broadcast(Lanes.FLOAT, left[left2 + k]);
            sum20 = value2.fma(right0, sum20);
            sum21 = value2.fma(right1, sum21);
            FloatVector value3 = FloatVector.broadcast(Lanes.FLOAT, left[left3 + k]);
            sum30 = value3.fma(right0, sum30);
            sum31 = value3.fma(right1, sum31);
        }
        sum00.intoArray(target, targetAt);
        sum01.intoArray(target, targetAt + Lanes.COUNT);
        sum10.intoArray(target, target1);
        sum11.intoArray(target, target1 + Lanes.COUNT);
        sum20.intoArray(target, target2);
        sum21.intoArray(target, target2 + Lanes.COUNT);
        sum30.intoArray(target, target3);
        sum31.intoArray(target, target3 + Lanes.COUNT);
    }

    private static void oneByFour(
            float[] left,
            int leftAt,
            float[] right,
            int rightAt,
            int rightStride,
            int depth,
            float[] target,
            int targetAt) {
        FloatVector sum0 = load(target, targetAt);
        FloatVector sum1 = load(target, targetAt + Lanes.COUNT);
        FloatVector sum2 = load(target, targetAt + 2 * Lanes.COUNT);
        FloatVector sum3 = load(target, targetAt + 3 * Lanes.COUNT);
        for (int k = 0; k < depth; k++) {
            int at = rightAt + k * rightStride;
            FloatVector value = FloatVector.broadcast(Lanes.FLOAT, left[leftAt + k]);
            sum0 = value.fma(load(right, at), sum0);
            sum1 = value.fma(load(right, at + Lanes.COUNT), sum1);
            sum2 = value.fma(load(right, at + 2 * Lanes.COUNT), sum2);
            sum3 = value.fma(load(right, at + 3 * Lanes.COUNT), sum3);
        }
        sum0.intoArray(target, targetAt);
        sum1.intoArray(target, targetAt + Lanes.COUNT);
        sum2.intoArray(target, targetAt + 2 * Lanes.COUNT);
        sum3.intoArray(target, targetAt + 3 * Lanes.COUNT);
    }

    private static void oneByOne(
            float[] left,
            int leftAt,
            float[] right,
            int rightAt,
            int rightStride,
            int depth,
            float[] target,
            int targetAt) {
        FloatVector sum = load(target, targetAt);
        for (int k = 0; k < depth; k++) {
            sum = FloatVector.broadcast(Lanes.FLOAT, left[leftAt + k]).fma(load(right, rightAt + k * rightStride), sum);
        }
        sum.intoArray(target, targetAt);
    }

    private static FloatVector load(float[] values, int at) {
        return FloatVector.fromArray(Lanes.FLOAT, values, at);
    }

    /**
     * Turns {@code count} scores into e^(score − largest), where {@code largest} becomes that of all seen so far, and adds
     * them to {@code sums}. What was gathered by a smaller one, sums and output, is brought to the same measure.
     *
     * @param count a multiple of {@link Lanes#COUNT}; −∞ where a score does not count
     * @param largest of those seen before, {@link #NO_SCORE} at first
     * @param sums {@link Lanes#COUNT} partial sums from {@code sumsAt}
     * @param width how much output there is, a multiple of {@link Lanes#COUNT}
     * @return the largest score so far
     */
    public static float weigh(
            float[] scores,
            int at,
            int count,
            float largest,
            float[] sums,
            int sumsAt,
            float[] output,
            int outputAt,
            int width) {
        FloatVector maxima = FloatVector.broadcast(Lanes.FLOAT, largest);
        for (int i = at; i < at + count; i += Lanes.COUNT) {
            maxima = Lanes.larger(maxima, load(scores, i));
        }
        float now = Lanes.largest(maxima);
        FloatVector sum = load(sums, sumsAt);
        if (now > largest) {
            FloatVector factor = Exponential.ofNegative(FloatVector.broadcast(Lanes.FLOAT, largest - now));
            sum = sum.mul(factor);
            for (int i = outputAt; i < outputAt + width; i += Lanes.COUNT) {
                load(output, i).mul(factor).intoArray(output, i);
            }
        }
        // Rolled: four at a time the compiler no longer inlines, and what took 45 ns takes 580.
        for (int i = at; i < at + count; i += Lanes.COUNT) {
            FloatVector weight = Exponential.ofNegative(load(scores, i).sub(now));
            weight.intoArray(scores, i);
            sum = sum.add(weight);
        }
        sum.intoArray(sums, sumsAt);
        return now;
    }

    /** y = y · yFactor + x · xFactor, of {@code count} elements, a multiple of {@link Lanes#COUNT}. */
    public static void blend(float[] y, int yAt, float yFactor, float[] x, int xAt, float xFactor, int count) {
        FloatVector factor = FloatVector.broadcast(Lanes.FLOAT, xFactor);
        for (int i = 0; i < count; i += Lanes.COUNT) {
            load(x, xAt + i).fma(factor, load(y, yAt + i).mul(yFactor)).intoArray(y, yAt + i);
        }
    }

    /**
     * scores[j] += slope · (j − last) for j under {@code count}: what ALiBi takes off for the distance from the query, which
     * stands at {@code last}.
     */
    public static void addRamp(float[] scores, int at, int count, int last, float slope) {
        FloatVector slopes = FloatVector.broadcast(Lanes.FLOAT, slope);
        FloatVector distance = FloatVector.zero(Lanes.FLOAT).addIndex(1).sub(last);
        int j = 0;
        for (; j <= count - Lanes.COUNT; j += Lanes.COUNT) {
            distance.add(j).fma(slopes, load(scores, at + j)).intoArray(scores, at + j);
        }
        for (; j < count; j++) {
            scores[at + j] = Math.fma(slope, (float) (j - last), scores[at + j]);
        }
    }
}
