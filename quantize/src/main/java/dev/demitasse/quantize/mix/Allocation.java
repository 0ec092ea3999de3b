package dev.demitasse.quantize.mix;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;

/**
 * Chooses one of several sizes for each of many things, so that their losses add up to little and their sizes to no more
 * than a limit: a knapsack with multiple choice (Kellerer, Pferschy, Pisinger: Knapsack Problems, 2004, chapter 11). From
 * everything at its smallest, the step along the lower convex hull of a thing that saves most loss for each byte is taken,
 * again and again, while it fits, which is the optimum of the relaxed problem but for the last steps; then pairs are
 * exchanged, one larger, another smaller or none, as long as that lowers the sum.
 */
public final class Allocation {
    /**
     * What a thing can be.
     *
     * @param bytes it takes
     * @param loss it costs
     */
    public record Choice(long bytes, double loss) {}

    private final List<List<Choice>> items;
    private final long limit;
    private final int[] chosen;
    private long bytes;

    private Allocation(List<List<Choice>> items, long limit) {
        this.items = items;
        this.limit = limit;
        this.chosen = new int[items.size()];
    }

    /**
     * The index of the choice of each item; empty if not even the smallest ones fit.
     *
     * @param items choices, at least one for each
     * @param limit of the bytes' sum
     */
    public static Optional<int[]> choose(List<List<Choice>> items, long limit) {
        Allocation allocation = new Allocation(items, limit);
        allocation.takeSmallest();
        if (allocation.bytes > limit) {
            return Optional.empty();
        }
        allocation.climb();
        allocation.exchange();
        return Optional.of(allocation.chosen);
    }

    /** The sum of the smallest choices: no limit below it can be met. */
    public static long smallest(List<List<Choice>> items) {
        return items.stream()
                .mapToLong(choices ->
                        choices.stream().mapToLong(Choice::bytes).min().orElseThrow())
                .sum();
    }

    private void takeSmallest() {
        for (int item = 0; item < chosen.length; item++) {
            List<Choice> choices = items.get(item);
            for (int i = 0; i < choices.size(); i++) {
                Choice best = choices.get(chosen[item]);
                Choice other = choices.get(i);
                if (other.bytes < best.bytes || other.bytes == best.bytes && other.loss < best.loss) {
                    chosen[item] = i;
                }
            }
            bytes += choices.get(chosen[item]).bytes;
        }
    }

    /** A step from what is chosen of an item to a larger choice. */
    private record Step(int item, int to, double savedPerByte) {}

    private void climb() {
        PriorityQueue<Step> steps = new PriorityQueue<>(
                Comparator.comparingDouble(Step::savedPerByte).reversed().thenComparingInt(Step::item));
        for (int item = 0; item < chosen.length; item++) {
            steepest(item).ifPresent(steps::add);
        }
        while (!steps.isEmpty()) {
            Step step = steps.remove();
            long more = items.get(step.item).get(step.to).bytes - current(step.item).bytes;
            if (bytes + more <= limit) {
                bytes += more;
                chosen[step.item] = step.to;
                steepest(step.item).ifPresent(steps::add);
            }
        }
    }

    /** The next corner of the lower convex hull. */
    private Optional<Step> steepest(int item) {
        Choice now = current(item);
        List<Step> steps = new ArrayList<>();
        for (int i = 0; i < items.get(item).size(); i++) {
            Choice other = items.get(item).get(i);
            if (other.bytes > now.bytes && other.loss < now.loss) {
                steps.add(new Step(item, i, (now.loss - other.loss) / (other.bytes - now.bytes)));
            }
        }
        return steps.stream().max(Comparator.comparingDouble(Step::savedPerByte));
    }

    private Choice current(int item) {
        return items.get(item).get(chosen[item]);
    }

    private void exchange() {
        boolean improved = true;
        while (improved) {
            improved = false;
            for (int item = 0; item < chosen.length; item++) {
                for (int to = 0; to < items.get(item).size(); to++) {
                    improved |= exchange(item, to);
                }
            }
        }
    }

    /** Takes choice {@code to} of an item if, with another item made smaller where that is needed, it lowers the sum. */
    private boolean exchange(int item, int to) {
        Choice now = current(item);
        Choice wanted = items.get(item).get(to);
        double saved = now.loss - wanted.loss;
        long excess = bytes + wanted.bytes - now.bytes - limit;
        if (saved <= 0) {
            return false;
        }
        int other = -1;
        int otherTo = -1;
        double least = excess <= 0 ? 0 : saved * (1 - 1e-9);
        for (int i = 0; i < chosen.length && excess > 0; i++) {
            for (int k = 0; k < items.get(i).size() && i != item; k++) {
                Choice smaller = items.get(i).get(k);
                double cost = smaller.loss - current(i).loss;
                if (current(i).bytes - smaller.bytes >= excess && cost < least) {
                    least = cost;
                    other = i;
                    otherTo = k;
                }
            }
        }
        if (excess > 0 && other < 0) {
            return false;
        }
        if (other >= 0) {
            bytes += items.get(other).get(otherTo).bytes - current(other).bytes;
            chosen[other] = otherTo;
        }
        bytes += wanted.bytes - now.bytes;
        chosen[item] = to;
        return true;
    }
}
