package dev.demitasse.infer;

import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.Positions.Pairing;
import dev.demitasse.model.Positions.Rotary;

/**
 * Rotary position embedding (Su et al., arXiv:2104.09864, eq. 34): cosines and sines of position · frequency, computed in
 * double and rounded once. Those that serve short sequences are kept for as many positions as were asked for so far; of
 * other frequencies, which a scaling may want for longer ones, those last asked for. Safe for use by several threads.
 */
final class RotaryTable {
    private static final int FIRST = 128;
    private static final int TOKENS_A_PART = 32;

    private final Rotary rotary;
    private final int pairs;
    private final int shortClass;
    private volatile Angles angles;
    private volatile Angles longer;

    /**
     * Cosines and sines {@code [position, pair]}, the attention factor in them.
     *
     * @param lengthClass of the sequences that they serve
     * @param first the first position
     * @param end after the last one
     */
    private record Angles(int lengthClass, int first, int end, float[] cosines, float[] sines) {
        boolean serves(int length, int from, int to) {
            return lengthClass == length && first <= from && to <= end;
        }
    }

    RotaryTable(Rotary rotary) {
        this.rotary = rotary;
        this.pairs = rotary.dimensions() / 2;
        this.shortClass = rotary.scaling().lengthClass(1);
        this.angles = compute(1, 0, FIRST);
        this.longer = angles;
    }

    /**
     * Turns every head of {@code states [tokens, heads · headDimension]}, whose first token stands at {@code position} and
     * whose last one ends the sequence.
     */
    void rotate(float[] states, int tokens, int position, int heads, int headDimension, Workers workers) {
        Angles table = covering(position, position + tokens);
        int parts = Math.ceilDiv(tokens, TOKENS_A_PART);
        workers.worth((long) tokens * heads * headDimension * 2).run(parts, part -> {
            int last = Math.min(tokens, (part + 1) * TOKENS_A_PART);
            for (int token = part * TOKENS_A_PART; token < last; token++) {
                int row = (position + token - table.first) * pairs;
                for (int head = 0; head < heads; head++) {
                    rotateHead(states, (token * heads + head) * headDimension, table, row);
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

    /** Angles of the positions from {@code first} of a sequence that is {@code length} long. */
    private Angles covering(int first, int length) {
        int lengthClass = rotary.scaling().lengthClass(length);
        if (lengthClass == shortClass) {
            Angles table = angles;
            if (!table.serves(lengthClass, first, length)) {
                table = compute(length, 0, Math.max(length, 2 * table.end));
                angles = table;
            }
            return table;
        }
        Angles table = longer;
        if (!table.serves(lengthClass, first, length)) {
            table = compute(length, first, length);
            longer = table;
        }
        return table;
    }

    private Angles compute(int length, int first, int end) {
        double[] frequencies = rotary.frequencies(length);
        double factor = rotary.scaling().attentionFactor();
        float[] cosines = new float[Math.multiplyExact(end - first, pairs)];
        float[] sines = new float[cosines.length];
        for (int position = first; position < end; position++) {
            for (int pair = 0; pair < pairs; pair++) {
                double angle = position * frequencies[pair];
                int at = (position - first) * pairs + pair;
                cosines[at] = (float) (factor * Math.cos(angle));
                sines[at] = (float) (factor * Math.sin(angle));
            }
        }
        return new Angles(rotary.scaling().lengthClass(length), first, end, cosines, sines);
    }
}
