package dev.demitasse.infer.calibrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InputQuantization;
import dev.demitasse.model.Role;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.reference.SharedData;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CalibrationTest {
    private static float[] normal(int count, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static Histogram histogram(float[]... parts) {
        Histogram histogram = new Histogram();
        for (float[] part : parts) {
            histogram.add(part, part.length);
        }
        return histogram;
    }

    /** numpy.quantile of the same values; a bin is 8/4096 wide. */
    @Test
    void quantilesAreThoseOfTheSortedValues() {
        float[] values = normal(200_000, 1);
        Histogram histogram = histogram(values);
        float[] sorted = values.clone();
        Arrays.sort(sorted);
        for (double share : new double[] {0.00005, 0.01, 0.3, 0.5, 0.9, 0.99995}) {
            assertThat((double) histogram.quantile(share))
                    .isCloseTo(sorted[(int) (share * (sorted.length - 1))], within(0.02));
        }
        assertThat(histogram.quantile(0)).isEqualTo(sorted[0]);
        assertThat(histogram.quantile(1)).isEqualTo(sorted[sorted.length - 1]);
    }

    /** Bins merge as larger values come; what was counted before is where it would be had they come first. */
    @Test
    void theOrderOfValuesDoesNotMatter() {
        float[] small = normal(5000, 2);
        float[] large = {-900, 513, 4};
        Histogram one = histogram(small, large);
        Histogram other = histogram(large, small);
        assertThat(one.magnitudes()).isEqualTo(other.magnitudes());
        assertThat(one.limit()).isEqualTo(1024);
        for (RangeChoice choice : RangeChoice.values()) {
            assertThat(choice.choose(one)).isEqualTo(choice.choose(other));
        }
    }

    @Test
    void outliersAreReachedOrCutOff() {
        float[] values = normal(1_000_000, 3);
        values[17] = 60;
        Histogram histogram = histogram(values);
        InputQuantization all = RangeChoice.MINMAX.choose(histogram);
        assertThat(all.scale() * (255 - all.zeroPoint())).isCloseTo(60, within(0.2f));
        InputQuantization most = RangeChoice.PERCENTILE.choose(histogram);
        // 0.005 % of a normal distribution lie beyond 3.89 standard deviations on either side.
        assertThat(most.scale() * (255 - most.zeroPoint())).isCloseTo(3.89f, within(0.15f));
        assertThat(most.scale() * most.zeroPoint()).isCloseTo(3.89f, within(0.15f));
        InputQuantization best = RangeChoice.ENTROPY.choose(histogram);
        assertThat(best.scale() * (255 - best.zeroPoint())).isBetween(2.5f, 8f);
    }

    @ParameterizedTest
    @EnumSource
    void zerosAndOneSign(RangeChoice choice) {
        InputQuantization none = choice.choose(histogram(new float[300]));
        assertThat(none).isEqualTo(new InputQuantization(1, 0));
        float[] positive = normal(10_000, 4);
        for (int i = 0; i < positive.length; i++) {
            positive[i] = Math.abs(positive[i]);
        }
        InputQuantization one = choice.choose(histogram(positive));
        assertThat(one.zeroPoint()).as("nothing is spent on what never comes").isZero();
        assertThat(one.code(0)).isZero();
        assertThat(one.code(100)).isEqualTo(255);
    }

    /** By the hidden states that a run tells of, and by hand. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "mixtral", "phi", "gpt2"})
    void rangesAreThoseOfWhatEntersTheProjections(String name) throws IOException {
        try (Checkpoint model = Checkpoint.open(SharedData.require("golden/" + name));
                CpuModel cpu = CpuModel.of(model)) {
            int vocabulary = model.config().vocabularySize();
            Random random = new Random(5);
            List<int[]> windows = IntStream.range(0, 3)
                    .mapToObj(i -> random.ints(12, 0, vocabulary).toArray())
                    .toList();
            Map<TensorKey, InputQuantization> fixed = InputCalibration.run(
                    model, TokenWindows.ofTokens("random", windows), RangeChoice.MINMAX, Progress.SILENT);
            model.config().tensors().stream()
                    .filter(key ->
                            key.part() == TensorKey.Part.WEIGHT && key.role().projection())
                    .forEach(key -> assertThat(fixed).containsKey(model.config().input(key)));
            float least = 0;
            float greatest = 0;
            for (int[] window : windows) {
                for (float value : cpu.trace(window).hiddenStates().getLast()) {
                    least = Math.min(least, value);
                    greatest = Math.max(greatest, value);
                }
            }
            assertThat(fixed).containsEntry(TensorKey.weight(Role.HEAD), InputQuantization.over(least, greatest));
        }
    }

    @Test
    void impossibleQuantizationsAreRefused() {
        for (float scale : new float[] {0, -1, Float.NaN, Float.POSITIVE_INFINITY}) {
            assertThatThrownBy(() -> new InputQuantization(scale, 0)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> new InputQuantization(1, 256)).isInstanceOf(IllegalArgumentException.class);
    }
}
