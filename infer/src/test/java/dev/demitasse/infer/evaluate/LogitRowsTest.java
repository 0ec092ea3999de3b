package dev.demitasse.infer.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** Against the definitions, spelled out in double. */
class LogitRowsTest {
    @Test
    void sumsAndDivergencesOfAnyLength() {
        Random random = new Random(6);
        for (int count : new int[] {1, 2, 15, 16, 17, 105, 511, 512, 4097, 40_003}) {
            float[] reference = new float[count + 3];
            float[] model = new float[count + 3];
            for (int i = 0; i < reference.length; i++) {
                reference[i] = (float) random.nextGaussian() * 4 + 11;
                model[i] = reference[i] + (float) random.nextGaussian() * 0.2f - 5;
            }
            double referenceSum = exactLogSumExp(reference, 3, count);
            double modelSum = exactLogSumExp(model, 3, count);
            double expected = 0;
            for (int i = 3; i < reference.length; i++) {
                double p = Math.exp(reference[i] - referenceSum);
                expected += p * (reference[i] - referenceSum - model[i] + modelSum);
            }
            double ours = LogitRows.logSumExp(reference, 3, count);
            double theirs = LogitRows.logSumExp(model, 3, count);
            assertThat(ours).isCloseTo(referenceSum, within(1e-6));
            assertThat(theirs).isCloseTo(modelSum, within(1e-6));
            assertThat(LogitRows.divergence(reference, 3, ours, model, 3, theirs, count))
                    .isCloseTo(expected, within(5e-6));
            assertThat(LogitRows.divergence(reference, 3, ours, reference, 3, ours, count))
                    .isZero();
        }
    }

    @Test
    void farApartLogitsDoNotOverflow() {
        float[] logits = {1000, -1000, 999, 0, Float.NEGATIVE_INFINITY};
        assertThat(LogitRows.logSumExp(logits, 0, 5)).isCloseTo(1000 + Math.log1p(Math.exp(-1)), within(1e-6));
    }

    @Test
    void theFirstOfTheMostLikely() {
        float[] logits = new float[50];
        logits[3] = 9;
        logits[21] = 7;
        logits[44] = 7;
        assertThat(LogitRows.mostLikely(logits, 4, 46)).isEqualTo(17);
    }

    private static double exactLogSumExp(float[] logits, int at, int count) {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += Math.exp(logits[at + i] - 30);
        }
        return 30 + Math.log(sum);
    }
}
