package dev.demitasse.prune;

import dev.demitasse.model.Block;
import dev.demitasse.model.ModelConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The parts that stay, by their numbers in the source, ascending. Among equals the first stays.
 *
 * @param layers {@code [kept layers]}
 * @param neurons of each kept layer, {@code [kept layers, kept neurons]}
 * @param groups key/value heads of each kept layer, {@code [kept layers, kept key/value heads]}
 * @param channels of the residual stream, {@code [kept hidden]}
 */
record Selection(int[] layers, int[][] neurons, int[][] groups, int[] channels) {

    /** The highest-scored parts of {@code source}, as many as {@code target} has. */
    static Selection of(Scores scores, ModelConfig source, ModelConfig target) {
        int[] layers = highest(endsKept(scores.layers(), target.layers()), target.layers());
        boolean uniform = source.uniform();
        int neurons = target.feedForward().intermediateSize();
        int groups = target.attention().keyValueHeads();
        return new Selection(
                layers,
                Arrays.stream(layers)
                        .mapToObj(layer -> scores.neurons()[layer])
                        .map(each -> highest(each, uniform ? neurons : each.length))
                        .toArray(int[][]::new),
                Arrays.stream(layers)
                        .mapToObj(layer -> scores.groups()[layer])
                        .map(each -> highest(each, uniform ? groups : each.length))
                        .toArray(int[][]::new),
                highest(scores.channels(), target.hiddenSize()));
    }

    /** {@code target} with the layers that stay, at its sizes: windows and positions go with each layer. */
    ModelConfig applied(ModelConfig source, ModelConfig target) {
        int neurons = target.feedForward().intermediateSize();
        int groups = target.attention().keyValueHeads();
        List<Block> blocks = new ArrayList<>();
        for (int layer : layers) {
            Block block = source.blocks().get(layer);
            blocks.add(source.uniform() ? PruneSizes.resized(block, neurons, groups) : block);
        }
        return target.withBlocks(blocks);
    }

    /**
     * The first layer reads the embedding and the last one writes for the head: no other layer stands in for them, so
     * both stay wherever two layers do.
     */
    private static double[] endsKept(double[] scores, int kept) {
        double[] changed = scores.clone();
        if (kept >= 2) {
            changed[0] = Double.POSITIVE_INFINITY;
            changed[changed.length - 1] = Double.POSITIVE_INFINITY;
        }
        return changed;
    }

    /** Indices of the {@code count} highest scores, ascending. */
    static int[] highest(double[] scores, int count) {
        return IntStream.range(0, scores.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer index) -> -scores[index]))
                .limit(count)
                .mapToInt(Integer::intValue)
                .sorted()
                .toArray();
    }

    /** The part of all of {@code scores} that {@code kept} holds; 1 where all are 0. */
    static double share(double[] scores, int[] kept) {
        double all = Arrays.stream(scores).sum();
        return all == 0
                ? 1
                : Arrays.stream(kept).mapToDouble(index -> scores[index]).sum() / all;
    }
}
