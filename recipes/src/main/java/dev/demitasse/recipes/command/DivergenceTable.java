package dev.demitasse.recipes.command;

import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.infer.evaluate.Estimate;
import dev.demitasse.infer.evaluate.PerplexityChange;
import dev.demitasse.infer.evaluate.Quality;
import dev.demitasse.infer.evaluate.Spread;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A divergence for people, by the names llama-perplexity's {@code --kl-divergence} uses, and for machines. */
final class DivergenceTable {
    private static final List<Double> KL_PERCENTAGES = Spread.PERCENTAGES.stream()
            .filter(percentage -> percentage != 25 && percentage != 75)
            .toList();

    private DivergenceTable() {}

    /** Lines of text. */
    static List<String> lines(Quality quality, Divergence divergence) {
        PerplexityChange change = divergence.perplexity();
        List<String> lines = new ArrayList<>();
        lines.add("Perplexity");
        lines.add(line("PPL(Q)", 6, new Estimate(quality.perplexity(), quality.perplexityStandardError())));
        lines.add(line("PPL(base)", 6, change.reference()));
        lines.add(line("Cor(ln(PPL(Q)), ln(PPL(base)))", "%.2f %%", 100 * change.correlation()));
        lines.add(line("ln(PPL(Q)/PPL(base))", 6, change.logRatio()));
        lines.add(line("PPL(Q)/PPL(base)", 6, change.ratio())
                + String.format(Locale.ROOT, "   95 %%: %.6f to %.6f", change.lowerRatio(), change.upperRatio()));
        lines.add(line("PPL(Q)-PPL(base)", 6, change.difference()));
        lines.add("");
        lines.add("KL divergence, nats");
        lines.add(line("Mean KLD", 6, divergence.kl()));
        spread(lines, "KLD", "%.6f", divergence.klSpread(), 1, KL_PERCENTAGES);
        if (!divergence.tail().none()) {
            lines.add(line("  error of the draws", "%.1g", divergence.tail().standardError()));
            lines.add(line("  Mean KLD at least", "%.6f", divergence.tail().lowestKl()));
            lines.add(line("  drawn from", "%.2f %%", 100 * divergence.tail().share()));
        }
        lines.add("");
        lines.add("Probability of the right token, percent points");
        lines.add(line("Mean Δp", 3, percent(divergence.probability())));
        spread(lines, "Δp", "%.3f", divergence.probabilitySpread(), 100, Spread.PERCENTAGES);
        lines.add(line("RMS Δp", 3, percent(divergence.rmsProbability())));
        lines.add(line("Same top p", 3, percent(divergence.top1())));
        return lines;
    }

    private static void spread(
            List<String> lines, String name, String format, Spread spread, double scale, List<Double> percentages) {
        for (double percentage : percentages.reversed()) {
            lines.add(line(title(percentage) + " " + name, format, scale * spread.at(percentage)));
        }
    }

    private static String title(double percentage) {
        if (percentage == 0) {
            return "Minimum";
        }
        if (percentage == 50) {
            return "Median";
        }
        return percentage == 100 ? "Maximum" : String.format(Locale.ROOT, "%.1f %%", percentage);
    }

    private static Estimate percent(Estimate share) {
        return new Estimate(100 * share.value(), 100 * share.standardError());
    }

    private static String line(String name, int decimals, Estimate estimate) {
        String number = "%." + decimals + "f";
        return line(name, number + " ± " + number, estimate.value(), estimate.standardError());
    }

    private static String line(String name, String format, Object... values) {
        return "  %-31s ".formatted(name) + String.format(Locale.ROOT, format, values);
    }

    /** As a tree of names and numbers. */
    static Map<String, Object> tree(Divergence divergence) {
        PerplexityChange change = divergence.perplexity();
        Map<String, Object> ratio = estimate(change.ratio());
        ratio.put("lower_95", change.lowerRatio());
        ratio.put("upper_95", change.upperRatio());
        ratio.put("log", estimate(change.logRatio()));
        ratio.put("correlation", change.correlation());
        Map<String, Object> kl = estimate(divergence.kl());
        kl.put("percentiles", percentiles(divergence.klSpread()));
        Map<String, Object> probability = new LinkedHashMap<>();
        probability.put("mean", estimate(divergence.probability()));
        probability.put("rms", estimate(divergence.rmsProbability()));
        probability.put("percentiles", percentiles(divergence.probabilitySpread()));
        Map<String, Object> tail = new LinkedHashMap<>();
        tail.put("share", divergence.tail().share());
        tail.put("lowest_mean_kl", divergence.tail().lowestKl());
        tail.put("mean_kl_standard_error", divergence.tail().standardError());
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("reference_perplexity", estimate(change.reference()));
        tree.put("perplexity_ratio", ratio);
        tree.put("perplexity_difference", estimate(change.difference()));
        tree.put("kl", kl);
        tree.put("top1", estimate(divergence.top1()));
        tree.put("probability_change", probability);
        tree.put("reference_tail", tail);
        return tree;
    }

    private static Map<String, Object> estimate(Estimate estimate) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("value", estimate.value());
        tree.put("standard_error", estimate.standardError());
        return tree;
    }

    private static Map<String, Double> percentiles(Spread spread) {
        Map<String, Double> tree = new LinkedHashMap<>();
        spread.percentiles().forEach((percentage, value) -> tree.put(Double.toString(percentage), value));
        return tree;
    }
}
