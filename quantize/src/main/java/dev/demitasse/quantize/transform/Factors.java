package dev.demitasse.quantize.transform;

import dev.demitasse.model.TensorKey;
import dev.demitasse.quantize.matrix.Matrix;
import java.util.List;

/** By what the channels of an input are divided, and the columns of the weights that read it multiplied. */
@FunctionalInterface
public interface Factors {
    /** One for each factor of {@code input}, all above 0. */
    float[] choose(ScaledInput input);

    /** A weight that reads an input. */
    record Reader(TensorKey key, Matrix weight) {}

    /**
     * An input whose channels may be scaled.
     *
     * @param readers the projections that read it
     * @param seen what it looks like
     * @param factorOfChannel which factor each channel is divided by: where key/value heads are shared, several channels
     *     have one
     * @param count of factors
     */
    @SuppressWarnings("ArrayRecordComponent") // handed over, not compared
    record ScaledInput(List<Reader> readers, InputStatistics.Input seen, int[] factorOfChannel, int count) {
        /** The largest of {@code perChannel} among the channels of each factor. */
        float[] largest(float[] perChannel) {
            float[] largest = new float[count];
            for (int channel = 0; channel < perChannel.length; channel++) {
                int factor = factorOfChannel[channel];
                largest[factor] = Math.max(largest[factor], perChannel[channel]);
            }
            return largest;
        }

        /** The mean of {@code perChannel} among the channels of each factor. */
        float[] mean(float[] perChannel) {
            double[] sums = new double[count];
            int[] counts = new int[count];
            for (int channel = 0; channel < perChannel.length; channel++) {
                sums[factorOfChannel[channel]] += perChannel[channel];
                counts[factorOfChannel[channel]]++;
            }
            float[] means = new float[count];
            for (int factor = 0; factor < count; factor++) {
                means[factor] = (float) (sums[factor] / Math.max(1, counts[factor]));
            }
            return means;
        }

        /** The largest magnitude in each column over all readers, {@code [in]}. */
        float[] columnMaxima() {
            float[] largest = new float[factorOfChannel.length];
            for (Reader reader : readers) {
                float[] values = reader.weight().values();
                for (int i = 0; i < values.length; i++) {
                    int column = i % largest.length;
                    largest[column] = Math.max(largest[column], Math.abs(values[i]));
                }
            }
            return largest;
        }

        /** {@code factors}, one for each channel. */
        float[] spread(float[] factors) {
            float[] spread = new float[factorOfChannel.length];
            for (int channel = 0; channel < spread.length; channel++) {
                spread[channel] = factors[factorOfChannel[channel]];
            }
            return spread;
        }
    }
}
