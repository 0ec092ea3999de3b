package dev.demitasse.infer.attention;

import dev.demitasse.infer.kernel.AttentionKernel;
import dev.demitasse.model.Attention;
import dev.demitasse.model.Positions;
import dev.demitasse.model.Positions.Alibi;

/** What positions add to the scores of attention. */
sealed interface PositionBias {
    /**
     * Adds to {@code count} scores, from {@code at}, of the keys from position {@code first} on, of a query at {@code
     * position}. Those of keys after the query's own position get what means nothing.
     *
     * @param scores scaled already
     */
    void add(float[] scores, int at, int count, int head, int first, int position);

    static PositionBias of(Positions positions, Attention attention) {
        return switch (positions) {
            case Positions.None none -> new Nothing();
            case Positions.Rotary rotary -> new Nothing();
            case Alibi alibi -> {
                double[] slopes = alibi.slopes(attention.heads());
                yield alibi.scaled() ? new Scaled(alibi, slopes, attention.scale()) : Ramp.of(slopes);
            }
        };
    }

    /** Positions that do not show in scores. */
    record Nothing() implements PositionBias {
        @Override
        public void add(float[] scores, int at, int count, int head, int first, int position) {}
    }

    /** −slope · distance (Press et al., arXiv:2108.12409, figure 3). */
    record Ramp(float[] slopes) implements PositionBias {
        static Ramp of(double[] slopes) {
            return new Ramp(floats(slopes));
        }

        @Override
        public void add(float[] scores, int at, int count, int head, int first, int position) {
            AttentionKernel.addRamp(scores, at, count, position - first, slopes[head]);
        }
    }

    /** A bias that is scaled as the products of queries and keys are: Falcon's. */
    record Scaled(Alibi alibi, double[] slopes, double scale) implements PositionBias {
        @Override
        public void add(float[] scores, int at, int count, int head, int first, int position) {
            for (int i = 0; i < count && first + i <= position; i++) {
                scores[at + i] += (float) (scale * alibi.bias(slopes[head], position, first + i));
            }
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
