package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.Kind;
import dev.demitasse.recipes.report.ReportData.Model;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * What the run came to: the original against the smallest file that is to be shipped.
 *
 * @param before the original
 * @param after the smallest export; without exports, the smallest model
 */
record Headline(Model before, Model after) {

    /** A figure of both models. */
    record Contrast(String name, String before, String after, String verdict) {}

    /** Nothing where there is no second model to compare with. */
    static Optional<Headline> of(ReportData data) {
        List<Model> models = data.models();
        if (models.size() < 2) {
            return Optional.empty();
        }
        Model before = models.stream()
                .filter(model -> model.kind() == Kind.ORIGINAL)
                .findFirst()
                .orElse(models.getFirst());
        List<Model> others = models.stream()
                .filter(model -> !model.stage().equals(before.stage()))
                .toList();
        List<Model> exports =
                others.stream().filter(model -> model.kind() == Kind.EXPORTED).toList();
        return (exports.isEmpty() ? others : exports)
                .stream().min(Comparator.comparingLong(Model::bytes)).map(after -> new Headline(before, after));
    }

    /** {@code 5.24 MB → 1.02 MB}. */
    String title() {
        return Figures.bytes(before.bytes()) + " → " + Figures.bytes(after.bytes());
    }

    /** {@code 5.1× smaller, perplexity 4.1 → 4.4 (+7.3 %), writes 2.1× as fast}. */
    String summary() {
        List<String> parts = new ArrayList<>();
        parts.add(smaller(before.bytes(), after.bytes()));
        double from = before.quality().perplexity();
        double to = after.quality().perplexity();
        if (Double.isFinite(from) && Double.isFinite(to)) {
            parts.add("perplexity %s → %s (%s)"
                    .formatted(Figures.number(from), Figures.number(to), Figures.change(to / from - 1)));
        }
        double speedup = after.speed().decode() / before.speed().decode();
        if (Double.isFinite(speedup)) {
            parts.add("writes " + Figures.times(speedup) + " as fast");
        }
        return String.join(", ", parts);
    }

    /** The figures worth a place of their own. */
    List<Contrast> contrasts() {
        double perplexity = after.quality().perplexity() / before.quality().perplexity() - 1;
        double decode = after.speed().decode() / before.speed().decode();
        return List.of(
                new Contrast(
                        "Size on disk",
                        Figures.bytes(before.bytes()),
                        Figures.bytes(after.bytes()),
                        smaller(before.bytes(), after.bytes())),
                new Contrast(
                        "Perplexity",
                        Figures.number(before.quality().perplexity()),
                        Figures.number(after.quality().perplexity()),
                        Figures.change(perplexity)),
                new Contrast(
                        "Tokens written per second",
                        Figures.rate(before.speed().decode()),
                        Figures.rate(after.speed().decode()),
                        Double.isFinite(decode) ? Figures.times(decode) + " as fast" : Figures.ABSENT),
                new Contrast(
                        "Parameters",
                        Figures.count(before.parameters()),
                        Figures.count(after.parameters()),
                        Figures.percent((double) after.parameters() / before.parameters()) + " kept"));
    }

    private static String smaller(long before, long after) {
        if (before == 0 || after == 0) {
            return Figures.ABSENT;
        }
        return after <= before
                ? Figures.times((double) before / after) + " smaller"
                : Figures.times((double) after / before) + " larger";
    }
}
