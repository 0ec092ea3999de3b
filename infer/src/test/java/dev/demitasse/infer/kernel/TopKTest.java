package dev.demitasse.infer.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TopKTest {
    /** Against a stable sort of all of them. */
    @Test
    void theLargestInOrderAmongEqualsTheFirst() {
        Random random = new Random(2);
        for (int count : new int[] {1, 2, 7, 100, 5000}) {
            float[] values = new float[count + 4];
            for (int i = 0; i < values.length; i++) {
                values[i] = random.nextInt(-40, 40) / 4f;
            }
            values[4 + count / 2] = Float.NEGATIVE_INFINITY;
            int[] sorted = IntStream.range(0, count)
                    .boxed()
                    .sorted(Comparator.<Integer>comparingDouble(i -> -values[4 + i]))
                    .mapToInt(Integer::intValue)
                    .toArray();
            for (int wanted : new int[] {0, 1, 3, 64, count, count + 1}) {
                assertThat(TopK.of(values, 4, count, wanted))
                        .isEqualTo(java.util.Arrays.copyOf(sorted, Math.min(wanted, count)));
            }
        }
    }
}
