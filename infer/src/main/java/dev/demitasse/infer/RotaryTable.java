package dev.demitasse.infer;

import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;

/**
 * Rotary position embedding (Su et al., arXiv:2104.09864, eq. 34): cosines and sines of position · frequency, computed in
 * double and rounded once, for as many positions as were asked for so far. Safe for use by several threads.
 */
final class RotaryTable {
    private static final int FIRST = 128;
    private static final int TOKENS_A_PART = 32;

    private final Rotary rotary;
    private final int pairs;
    private final double[] frequencies;
    private volatile Angles angles;

    /** Cosines and sines {@code [position, pair]}. */
    private record Angles(int positions, float[] cosines, float[] sines) {}

    RotaryTable(Rotary rotary) {
        this.rotary = rotary;
        this.pairs = rotary.dimensions() / 2;
        this.frequencies = rotary.frequencies(1);
        this.angles = compute(FIRST);
    }

    /** Turns every head of {@code states [tokens, heads · headDimension]}, whose first token stands at {@code position}. */
    void rotate(float[] states, int tokens, int position, int heads, int headDimension, Workers workers) {
        Angles table = upTo(position + tokens);
        int parts = Math.ceilDiv(tokens, TOKENS_A_PART);
        workers.worth((long) tokens * heads * headDimension * 2).run(parts, part -> {
            int last = Math.min(tokens, (part + 1) * TOKENS_A_PART);
            for (int token = part * TOKENS_A_PART; token < last; token++) {
                for (int head = 0; head < heads; head++) {
                    rotateHead(states, (token * heads + head) * headDimension, table, (position + token) * pairs);
                }
            }
        });
    }

    private void rotateHead(float[] states, int at, Angles table, int row) {
        float[] cosines = table.cosines;
        float[] sines = table.sines;
        boolean halves = rotary.pairing() == Pairing.HALVES;
        int step = halves ? 1 : 2;
        int distance = halves ? pairs : 1;
        for (int pair = 0; pair < pairs; pair++) {
            int first = at + pair * step;
            float a = states[first];
            float b = states[first + distance];
            float cosine = cosines[row + pair];
            float sine = sines[row + pair];
            states[first] = a * cosine - b * sine;
            states[first + distance] = b * cosine + a * sine;
        }
    }

    private Angles upTo(int positions) {
        Angles table = angles;
        if (positions > table.positions) {
            table = compute(Math.max(positions, 2 * table.positions));
            angles = table;
        }
        return table;
    }

    private Angles compute(int positions) {
        float[] cosines = new float[Math.multiplyExact(positions, pairs)];
        float[] sines = new float[cosines.length];
        for (int position = 0; position < positions; position++) {
            for (int pair = 0; pair < pairs; pair++) {
                double angle = position * frequencies[pair];
                cosines[position * pairs + pair] = (float) Math.cos(angle);
                sines[position * pairs + pair] = (float) Math.sin(angle);
            }
        }
        return new Angles(positions, cosines, sines);
    }
}
