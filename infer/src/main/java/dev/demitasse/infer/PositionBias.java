package dev.demitasse.infer;

import dev.demitasse.infer.kernel.AttentionKernel;
import dev.demitasse.infer.kernel.Bfloat16;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Positions;

/** What positions add to the scores of attention. */
sealed interface PositionBias {
    /**
     * Adds to {@code scores} of the keys from {@code first} on, of which {@code last} is the query's own position.
     *
     * @param scores {@code [last − first + 1]}, scaled already
     */
    void add(float[] scores, int head, int first, int last);

    static PositionBias of(Positions positions, Attention attention) {
        return switch (positions) {
            case Positions.None none -> new Nothing();
            case Positions.Rotary rotary -> new Nothing();
            case Positions.Alibi alibi -> {
                double[] slopes = alibi.slopes(attention.heads());
                yield alibi.scaled() ? Rounded.of(slopes, attention.scale()) : Ramp.of(slopes);
            }
        };
    }

    /** Positions that do not show in scores. */
    record Nothing() implements PositionBias {
        @Override
        public void add(float[] scores, int head, int first, int last) {}
    }

    /** −slope · distance (Press et al., arXiv:2108.12409, figure 3). */
    record Ramp(float[] slopes) implements PositionBias {
        static Ramp of(double[] slopes) {
            return new Ramp(floats(slopes));
        }

        @Override
        public void add(float[] scores, int head, int first, int last) {
            AttentionKernel.addRamp(scores, last - first, slopes[head]);
        }
    }

    /**
     * Falcon's: slopes, positions and their products are bfloat16, as transformers computes them and the models were
     * trained, so that far away several keys share a bias; the sum with the products of queries and keys is scaled.
     */
    record Rounded(float[] slopes, float scale) implements PositionBias {
        static Rounded of(double[] slopes, double scale) {
            float[] rounded = floats(slopes);
            for (int head = 0; head < rounded.length; head++) {
                rounded[head] = Bfloat16.round(rounded[head]);
            }
            return new Rounded(rounded, (float) scale);
        }

        @Override
        public void add(float[] scores, int head, int first, int last) {
            float slope = slopes[head];
            // All scores may shift by the same: the query's own bias, which keeps them small.
            float own = at(slope, last);
            for (int position = first; position <= last; position++) {
                scores[position - first] += scale * (at(slope, position) - own);
            }
        }

        private static float at(float slope, int position) {
            return Bfloat16.round(slope * Bfloat16.round(position));
        }
    }

    private static float[] floats(double[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }
}
