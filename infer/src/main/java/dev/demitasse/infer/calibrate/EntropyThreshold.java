package dev.demitasse.infer.calibrate;

/**
 * The magnitude at which values are best cut off before they are rounded to 8 bits (Migacz, "8-bit Inference with TensorRT",
 * GTC 2017, slides 30–38): of all cuts, the one whose rounded distribution Q loses least information of the values' P,
 * KL(P ‖ Q). What lies beyond a cut counts in P's last bin, but not in Q.
 *
 * <p>Deviation: bins without values stay without in Q, as there, and the first bin is taken as it is, though values of 0 fill it.
 */
final class EntropyThreshold {
    /** Codes of a sign: 8 bits have 256 of both. */
    private static final int LEVELS = 128;

    /** Between cuts that are tried; the loss changes little from one bin to the next. */
    private static final int STRIDE = 8;

    private EntropyThreshold() {}

    static float of(Histogram values) {
        long[] counts = values.magnitudes();
        int last = counts.length;
        while (last > LEVELS && counts[last - 1] == 0) {
            last--;
        }
        double beyond = 0;
        int best = last;
        double least = Double.POSITIVE_INFINITY;
        for (int cut = last; cut >= LEVELS; cut -= STRIDE) {
            double loss = loss(counts, cut, beyond);
            if (loss < least) {
                least = loss;
                best = cut;
            }
            for (int bin = Math.max(0, cut - STRIDE); bin < cut; bin++) {
                beyond += counts[bin];
            }
        }
        return best * (values.limit() / Histogram.SIDE);
    }

    /** KL(P ‖ Q) of the first {@code cut} bins, {@code beyond} being the values past them. */
    private static double loss(long[] counts, int cut, double beyond) {
        double[] rounded = new double[cut];
        double kept = 0;
        for (int level = 0; level < LEVELS; level++) {
            int from = (int) ((long) level * cut / LEVELS);
            int to = (int) ((level + 1L) * cut / LEVELS);
            double sum = 0;
            int filled = 0;
            for (int bin = from; bin < to; bin++) {
                sum += counts[bin];
                filled += counts[bin] > 0 ? 1 : 0;
            }
            for (int bin = from; bin < to; bin++) {
                rounded[bin] = counts[bin] > 0 ? sum / filled : 0;
            }
            kept += sum;
        }
        double loss = 0;
        double all = kept + beyond;
        for (int bin = 0; bin < cut; bin++) {
            double p = (counts[bin] + (bin == cut - 1 ? beyond : 0)) / all;
            if (p > 0) {
                // A bin that only what was cut off fills: the least that Q can give it.
                double q = Math.max(rounded[bin], 1) / kept;
                loss += p * Math.log(p / q);
            }
        }
        return loss;
    }
}
