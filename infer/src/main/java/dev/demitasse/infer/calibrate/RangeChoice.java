package dev.demitasse.infer.calibrate;

import dev.demitasse.model.InputQuantization;

/** How far codes are to reach, of all the values seen: what lies beyond is cut off, what lies within is the coarser the farther. */
public enum RangeChoice {
    /** To the least and the greatest value seen. */
    MINMAX {
        @Override
        InputQuantization choose(Histogram values) {
            return InputQuantization.over(values.least(), values.greatest());
        }
    },
    /** So far that 9,999 of 10,000 values are within, as many beyond on either side. */
    PERCENTILE {
        @Override
        InputQuantization choose(Histogram values) {
            double beyond = (1 - WITHIN) / 2;
            return InputQuantization.over(values.quantile(beyond), values.quantile(1 - beyond));
        }
    },
    /**
     * As far to either side as leaves the distribution of the rounded values nearest to that of the values, by Kullback–Leibler
     * divergence (Migacz, "8-bit Inference with TensorRT", GTC 2017), but no farther than there are values.
     */
    ENTROPY {
        @Override
        InputQuantization choose(Histogram values) {
            float threshold = EntropyThreshold.of(values);
            return InputQuantization.over(Math.max(values.least(), -threshold), Math.min(values.greatest(), threshold));
        }
    };

    private static final double WITHIN = 0.9999;

    abstract InputQuantization choose(Histogram values);
}
