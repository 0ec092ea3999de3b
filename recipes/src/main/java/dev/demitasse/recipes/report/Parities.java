package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.Parity;
import java.util.List;

/** The table that sets exported files against what they were made from. */
final class Parities {
    static final List<String> TITLES = List.of(
            "File",
            "Made from",
            "Run by",
            "Largest logit difference",
            "Source's perplexity",
            "File's perplexity",
            "Difference");

    private Parities() {}

    static List<List<String>> rows(List<Parity> parities) {
        return parities.stream()
                .map(parity -> List.of(
                        parity.artifact(),
                        parity.source(),
                        parity.runtime(),
                        Figures.number(parity.maximumDifference(), 3),
                        Figures.number(parity.sourcePerplexity()),
                        Figures.number(parity.perplexity()),
                        Figures.change(parity.perplexityDifference())))
                .toList();
    }
}
