package dev.demitasse.quantize.mix;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.quantize.mix.Allocation.Choice;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Against the best of all combinations, which small cases allow to try. */
class AllocationTest {
    @Test
    void comesNearTheBestOfAllCombinations() {
        double worst = 1;
        double sum = 0;
        int cases = 300;
        for (int seed = 0; seed < cases; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            List<List<Choice>> items = items(random);
            long smallest = Allocation.smallest(items);
            long limit = smallest + random.nextLong(smallest * 2);
            int[] chosen = Allocation.choose(items, limit).orElseThrow();
            assertThat(bytes(items, chosen)).isLessThanOrEqualTo(limit);
            double ratio = loss(items, chosen) / best(items, limit, 0, 0, 0);
            worst = Math.max(worst, ratio);
            sum += ratio;
        }
        assertThat(sum / cases).isLessThan(1.01);
        // Six things of six sizes are coarse; with the hundreds of a model the last steps matter less.
        assertThat(worst).isLessThan(1.5);
    }

    @Test
    void whatCannotFitIsToldApart() {
        List<List<Choice>> items = List.of(List.of(new Choice(10, 1), new Choice(20, 0)), List.of(new Choice(5, 1)));
        assertThat(Allocation.smallest(items)).isEqualTo(15);
        assertThat(Allocation.choose(items, 14)).isEmpty();
        assertThat(Allocation.choose(items, 15).orElseThrow()).containsExactly(0, 0);
        assertThat(Allocation.choose(items, 25).orElseThrow()).containsExactly(1, 0);
    }

    /** With room for everything the least loss is chosen, not the most bytes. */
    @Test
    void moreBytesAreTakenForLessLossOnly() {
        List<List<Choice>> items = List.of(List.of(new Choice(10, 1), new Choice(20, 0.5), new Choice(30, 0.7)));
        assertThat(Allocation.choose(items, 1000).orElseThrow()).containsExactly(1);
    }

    private static List<List<Choice>> items(SplittableRandom random) {
        List<List<Choice>> items = new ArrayList<>();
        for (int item = 0; item < 6; item++) {
            double sensitivity = Math.exp(4 * random.nextDouble());
            long weights = 100 + random.nextInt(900);
            List<Choice> choices = new ArrayList<>();
            for (double bits : new double[] {2.6, 3.4, 4.5, 5.5, 6.6, 8.5}) {
                double noise = Math.exp(0.6 * random.nextDouble());
                choices.add(new Choice((long) (weights * bits), sensitivity * noise * Math.pow(4, -bits)));
            }
            items.add(choices);
        }
        return items;
    }

    private static double best(List<List<Choice>> items, long limit, int item, long bytes, double loss) {
        if (bytes > limit) {
            return Double.POSITIVE_INFINITY;
        }
        if (item == items.size()) {
            return loss;
        }
        double best = Double.POSITIVE_INFINITY;
        for (Choice choice : items.get(item)) {
            best = Math.min(best, best(items, limit, item + 1, bytes + choice.bytes(), loss + choice.loss()));
        }
        return best;
    }

    private static long bytes(List<List<Choice>> items, int[] chosen) {
        long sum = 0;
        for (int i = 0; i < chosen.length; i++) {
            sum += items.get(i).get(chosen[i]).bytes();
        }
        return sum;
    }

    private static double loss(List<List<Choice>> items, int[] chosen) {
        double sum = 0;
        for (int i = 0; i < chosen.length; i++) {
            sum += items.get(i).get(chosen[i]).loss();
        }
        return sum;
    }
}
