package dev.demitasse.model;

/** How positions enter attention. */
public sealed interface Positions {
    /**
     * Rotary embedding (Su et al., arXiv:2104.09864): pairs of a query's or key's dimensions turn by position · frequency.
     *
     * @param dimensions how many of a head's dimensions rotate; even
     * @param base the first frequency's base, {@code rope_theta}
     * @param scaling how frequencies are changed for contexts beyond the trained one
     * @param pairing which two dimensions form a pair
     */
    record Rotary(int dimensions, double base, RopeScaling scaling, Pairing pairing) implements Positions {
        public Rotary {
            if (dimensions < 2 || dimensions % 2 != 0 || !(base > 0) || Double.isInfinite(base)) {
                throw new IllegalArgumentException("rotary dimensions " + dimensions + ", base " + base);
            }
            if (scaling instanceof RopeScaling.Factors list && list.factors().size() != dimensions / 2) {
                throw new IllegalArgumentException("%d rotary dimensions, but %d frequency factors"
                        .formatted(dimensions, list.factors().size()));
            }
        }

        /** Angle per position of each pair, {@code [dimensions / 2]}, scaling applied. */
        public double[] frequencies() {
            double[] frequencies = new double[dimensions / 2];
            for (int pair = 0; pair < frequencies.length; pair++) {
                frequencies[pair] = scaling.scale(unscaled(pair), pair);
            }
            return frequencies;
        }

        /** What scaling divides the frequency of each pair by, {@code [dimensions / 2]}. */
        public double[] factors() {
            double[] factors = frequencies();
            for (int pair = 0; pair < factors.length; pair++) {
                factors[pair] = unscaled(pair) / factors[pair];
            }
            return factors;
        }

        private double unscaled(int pair) {
            return Math.pow(base, -2.0 * pair / dimensions);
        }

        public Rotary withScaling(RopeScaling other) {
            return new Rotary(dimensions, base, other, pairing);
        }

        public Rotary withPairing(Pairing other) {
            return new Rotary(dimensions, base, scaling, other);
        }
    }

    /** Which two dimensions of a head rotate together. */
    enum Pairing {
        /** i and i + dimensions/2, as Hugging Face checkpoints of Llama hold them. */
        HALVES,
        /** 2i and 2i + 1, as GGUF files of Llama hold them: q and k rows permuted, the same function. */
        INTERLEAVED
    }
}
