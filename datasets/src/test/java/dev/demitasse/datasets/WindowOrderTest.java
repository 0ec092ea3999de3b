package dev.demitasse.datasets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class WindowOrderTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 16, 17, 100, 1023, 1024, 1025, 20_000})
    void eachEpochIsAPermutationAndDiffersFromTheLast(int count) {
        WindowOrder order = new WindowOrder(count, 42);
        int[] first = epoch(order, count, 0);
        int[] later = epoch(order, count, 7);
        assertThat(IntStream.of(first).sorted())
                .containsExactly(IntStream.range(0, count).boxed().toArray(Integer[]::new));
        assertThat(IntStream.of(later).sorted())
                .containsExactly(IntStream.range(0, count).boxed().toArray(Integer[]::new));
        if (count > 10) {
            assertThat(later).isNotEqualTo(first);
            assertThat(epoch(new WindowOrder(count, 43), count, 0)).isNotEqualTo(first);
        }
    }

    @Test
    void anyPositionCanBeAskedForInAnyOrder() {
        long far = 5_000_000_000L;
        int[] forward = LongStream.range(far, far + 500)
                .mapToInt(new WindowOrder(77, 3)::at)
                .toArray();
        WindowOrder order = new WindowOrder(77, 3);
        for (int position = 499; position >= 0; position--) {
            assertThat(order.at(far + position)).isEqualTo(forward[position]);
        }
    }

    /** Over many epochs each window comes first about equally often: 5 standard deviations of a binomial. */
    @ParameterizedTest
    @ValueSource(ints = {3, 7, 50})
    void everyWindowMayComeAnywhere(int count) {
        int epochs = 20_000;
        int[] atFirst = new int[count];
        int[] atLast = new int[count];
        WindowOrder order = new WindowOrder(count, 9);
        for (long epoch = 0; epoch < epochs; epoch++) {
            atFirst[order.at(epoch * count)]++;
            atLast[order.at(epoch * count + count - 1)]++;
        }
        double share = 1.0 / count;
        double tolerance = 5 * Math.sqrt(epochs * share * (1 - share));
        for (int window = 0; window < count; window++) {
            assertThat((double) atFirst[window]).isCloseTo(epochs * share, within(tolerance));
            assertThat((double) atLast[window]).isCloseTo(epochs * share, within(tolerance));
        }
    }

    private static int[] epoch(WindowOrder order, int count, long epoch) {
        return LongStream.range(epoch * count, (epoch + 1) * count)
                .mapToInt(order::at)
                .toArray();
    }
}
