package dev.demitasse.distill.network;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Which experts each of N tokens takes: those with the largest probabilities, the first of equal ones.
 *
 * @param experts the experts of each token, the most probable first, {@code [N · used]}
 * @param tokens the token of each row that an expert computes, rows in the order of experts, {@code [N · used]}
 * @param places the row that holds each of {@code experts}' result, {@code [N · used]}
 * @param firsts the first row of each expert, and the number of rows, {@code [experts + 1]}
 */
record Routing(long[] experts, long[] tokens, long[] places, int[] firsts) {

    /** @param probabilities {@code [N, count]} */
    static Routing of(float[] probabilities, int count, int used) {
        int number = probabilities.length / count;
        long[] experts = new long[Math.multiplyExact(number, used)];
        int[] firsts = new int[count + 1];
        for (int token = 0; token < number; token++) {
            float[] left = Arrays.copyOfRange(probabilities, token * count, (token + 1) * count);
            for (int choice = 0; choice < used; choice++) {
                int best = largest(left);
                left[best] = Float.NEGATIVE_INFINITY;
                experts[token * used + choice] = best;
                firsts[best + 1]++;
            }
        }
        Arrays.parallelPrefix(firsts, Integer::sum);
        int[] next = firsts.clone();
        long[] tokens = new long[experts.length];
        long[] places = new long[experts.length];
        for (int slot = 0; slot < experts.length; slot++) {
            int row = next[(int) experts[slot]]++;
            tokens[row] = slot / used;
            places[slot] = row;
        }
        return new Routing(experts, tokens, places, firsts);
    }

    private static int largest(float[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            if (values[i] > values[best]) {
                best = i;
            }
        }
        return best;
    }

    /** The first row of an expert. */
    int first(int expert) {
        return firsts[expert];
    }

    /** The experts that have tokens. */
    int[] busyExperts() {
        return IntStream.range(0, firsts.length - 1)
                .filter(expert -> firsts[expert] < firsts[expert + 1])
                .toArray();
    }
}
