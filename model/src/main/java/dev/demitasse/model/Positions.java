package dev.demitasse.model;

import dev.demitasse.model.format.ScalarFormat;
import java.util.stream.IntStream;

/** How positions enter a layer's attention; rows added to the embedding are {@link InputEmbedding#positions}. */
public sealed interface Positions {
    /** Attention sees no positions but by the order that its mask imposes. */
    record None() implements Positions {}

    /**
     * A bias on scores that falls with the distance, by a slope of each head's own (Press et al., arXiv:2108.12409).
     *
     * @param maximumBias slopes go from 2^(−maximumBias / n) to 2^(−maximumBias), n the number of heads; 8 in all models
     *     but some MPTs
     * @param scaled whether the bias is multiplied by the attention's scale as scores are (Falcon)
     */
    record Alibi(double maximumBias, boolean scaled) implements Positions {
        public Alibi {
            if (!(maximumBias > 0) || Double.isInfinite(maximumBias)) {
                throw new IllegalArgumentException("alibi bias " + maximumBias);
            }
        }

        /**
         * What the score of a query at {@code query} gains for a key at {@code key}, before {@link #scaled}: −slope · distance.
         * Where it is scaled, slopes, positions and their products are bfloat16, as transformers computes them and the models
         * were trained, so that far away several keys share a bias.
         */
        public double bias(double slope, int query, int key) {
            return scaled ? rounded(slope, key) - rounded(slope, query) : -slope * Math.abs(query - key);
        }

        private static double rounded(double slope, int position) {
            return ScalarFormat.roundToBfloat16(
                    ScalarFormat.roundToBfloat16((float) slope) * ScalarFormat.roundToBfloat16(position));
        }

        /**
         * What a head's score loses for each position of distance, {@code [heads]}: a geometric sequence, for a number of
         * heads n that is no power of two that of the next power, every second one first.
         */
        public double[] slopes(int heads) {
            int power = Integer.highestOneBit(Math.max(1, 2 * heads - 1));
            double[] all = IntStream.rangeClosed(1, power)
                    .mapToDouble(i -> Math.pow(2, -i * maximumBias / power))
                    .toArray();
            if (power == heads) {
                return all;
            }
            return IntStream.range(0, heads)
                    .mapToDouble(i -> i < power / 2 ? all[2 * i + 1] : all[2 * (i - power / 2)])
                    .toArray();
        }
    }

    /**
     * Rotary embedding (Su et al., arXiv:2104.09864): pairs of a query's or key's dimensions turn by position · frequency.
     *
     * @param dimensions how many of a head's dimensions rotate, the first; even
     * @param base the first frequency's base, {@code rope_theta}
     * @param scaling how frequencies are changed for contexts beyond the trained one
     * @param pairing which two dimensions form a pair
     */
    record Rotary(int dimensions, double base, RopeScaling scaling, Pairing pairing) implements Positions {
        public Rotary {
            if (dimensions < 2 || dimensions % 2 != 0 || !(base > 0) || Double.isInfinite(base)) {
                throw new IllegalArgumentException("rotary dimensions " + dimensions + ", base " + base);
            }
            scaling.requirePairs(dimensions / 2);
        }

        /** Rotary positions without scaling, pairs as halves. */
        public static Rotary of(int dimensions, double base) {
            return new Rotary(dimensions, base, new RopeScaling.None(), Pairing.HALVES);
        }

        /**
         * Angle per position of each pair, {@code [dimensions / 2]}, scaling applied.
         *
         * @param length how long the sequence is, on which some scalings depend: see {@link RopeScaling#lengthClass}
         */
        public double[] frequencies(int length) {
            return scaling.scale(unscaled(), base, length);
        }

        /** What scaling divides the frequency of each pair by, {@code [dimensions / 2]}, in sequences of {@code length}. */
        public double[] factors(int length) {
            double[] factors = frequencies(length);
            double[] unscaled = unscaled();
            for (int pair = 0; pair < factors.length; pair++) {
                factors[pair] = unscaled[pair] / factors[pair];
            }
            return factors;
        }

        private double[] unscaled() {
            return IntStream.range(0, dimensions / 2)
                    .mapToDouble(pair -> Math.pow(base, -2.0 * pair / dimensions))
                    .toArray();
        }

        public Rotary withScaling(RopeScaling other) {
            return new Rotary(dimensions, base, other, pairing);
        }

        public Rotary withPairing(Pairing other) {
            return new Rotary(dimensions, base, scaling, other);
        }
    }

    /** The same positions, rotary pairs formed as {@code pairing} says. */
    default Positions paired(Pairing pairing) {
        return switch (this) {
            case Rotary rotary -> rotary.withPairing(pairing);
            case None none -> none;
            case Alibi alibi -> alibi;
        };
    }

    /** Which two dimensions of a head rotate together. */
    enum Pairing {
        /** i and i + dimensions/2, as Hugging Face checkpoints of Llama hold them. */
        HALVES,
        /** 2i and 2i + 1, as GGUF files of Llama and checkpoints of GPT-J hold them: rows permuted, the same function. */
        INTERLEAVED
    }
}
