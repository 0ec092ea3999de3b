package dev.demitasse.infer.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.model.InvalidRequestException;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final float[] LOGITS = logs(0.1, 0.4, 0.15, 0.3, 0.05);

    @Test
    void greedyTakesTheFirstOfTheLargest() {
        assertThat(new Sampler(SamplingOptions.GREEDY).next(new float[] {-3, 2, 1, 2}))
                .isEqualTo(1);
    }

    @Test
    void frequenciesAreTheProbabilities() {
        assertThat(frequencies(new SamplingOptions(1, 0, 1, 7)))
                .containsExactly(new double[] {0.1, 0.4, 0.15, 0.3, 0.05}, within(0.015));
    }

    @Test
    void topKLeavesTheMostLikely() {
        assertThat(frequencies(new SamplingOptions(1, 2, 1, 7)))
                .containsExactly(new double[] {0, 0.4 / 0.7, 0, 0.3 / 0.7, 0}, within(0.015));
    }

    /** 0.4 + 0.3 do not reach 0.8, 0.4 + 0.3 + 0.15 do. */
    @Test
    void topPLeavesTheFewestThatReachIt() {
        assertThat(frequencies(new SamplingOptions(1, 0, 0.8, 7)))
                .containsExactly(new double[] {0, 0.4 / 0.85, 0.15 / 0.85, 0.3 / 0.85, 0}, within(0.015));
    }

    /** At temperature 1/2 probabilities are squared and normalized. */
    @Test
    void lowTemperatureSharpens() {
        double total = 0.01 + 0.16 + 0.0225 + 0.09 + 0.0025;
        assertThat(frequencies(new SamplingOptions(0.5, 0, 1, 7)))
                .containsExactly(
                        new double[] {0.01 / total, 0.16 / total, 0.0225 / total, 0.09 / total, 0.0025 / total},
                        within(0.015));
    }

    @Test
    void logitsOfAnySignAreOrdered() {
        Sampler onlyBest = new Sampler(new SamplingOptions(1, 1, 1, 3));
        assertThat(onlyBest.next(new float[] {-5, -0.5f, -3})).isEqualTo(1);
        assertThat(onlyBest.next(new float[] {-5, -0.5f, 0, 3e-3f, 2, -7})).isEqualTo(4);
        assertThat(onlyBest.next(new float[] {4, 4, 1})).isEqualTo(0);
    }

    @Test
    void impossibleOptionsAreRefused() {
        assertThatThrownBy(() -> new SamplingOptions(-1, 0, 1, 0)).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> new SamplingOptions(Double.NaN, 0, 1, 0)).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> new SamplingOptions(1, -1, 1, 0)).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> new SamplingOptions(1, 0, 0, 0)).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> new SamplingOptions(1, 0, 1.1, 0)).isInstanceOf(InvalidRequestException.class);
    }

    private static double[] frequencies(SamplingOptions options) {
        Sampler sampler = new Sampler(options);
        double[] frequencies = new double[LOGITS.length];
        for (int i = 0; i < 20_000; i++) {
            frequencies[sampler.next(LOGITS)] += 1 / 20_000.0;
        }
        return frequencies;
    }

    private static float[] logs(double... probabilities) {
        float[] logits = new float[probabilities.length];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) Math.log(probabilities[i]) + 3;
        }
        return logits;
    }
}
