package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.Kind;
import dev.demitasse.recipes.report.ReportData.Model;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** Size on disk against quality: down and to the left is better. */
final class SizeQualityChart {
    private static final double LABEL_HEIGHT = 17;
    /** From the middle of a dot to a label beside it. */
    private static final double NEAR = 10;
    /** Label heights that a label may be away from its dot. */
    private static final int FARTHEST = 8;

    /** The room a label or dot takes. */
    private record Box(double left, double top, double right, double bottom) {
        boolean overlaps(Box other) {
            return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
        }
    }

    /** What stands along the side. */
    private enum Measure {
        PERPLEXITY("perplexity", "Size against perplexity") {
            @Override
            double of(Model model) {
                return model.quality().perplexity();
            }

            @Override
            Axis axis(double[] values) {
                return Axis.fitting(values, 1.8);
            }
        },
        KL("mean KL divergence", "Size against KL divergence") {
            @Override
            double of(Model model) {
                return model.quality().difference().meanKl();
            }

            @Override
            Axis axis(double[] values) {
                return Axis.logarithmic(values);
            }
        };

        private final String name;
        private final String title;

        Measure(String name, String title) {
            this.name = name;
            this.title = title;
        }

        abstract double of(Model model);

        abstract Axis axis(double[] values);
    }

    private SizeQualityChart() {}

    /** Perplexity; nothing for fewer than two models with one. */
    static Html perplexity(List<Model> models) {
        List<Model> shown = firstOfStages(models.stream()
                .filter(model -> Double.isFinite(model.quality().perplexity()))
                .toList());
        return draw(Measure.PERPLEXITY, shown, "Smaller is to the left, better is down.");
    }

    /**
     * Divergence from the reference model, with a line through the models that none of their size or smaller betters.
     * Exports are left out where quantized models they hold are there. Nothing for fewer than two models with a divergence.
     */
    static Html divergence(List<Model> models) {
        boolean sweep =
                models.stream().filter(model -> model.kind() == Kind.QUANTIZED).count() > 1;
        List<Model> shown = firstOfStages(models.stream()
                .filter(model -> Measure.KL.of(model) > 0 && Double.isFinite(Measure.KL.of(model)))
                .filter(model -> !sweep || model.kind() != Kind.EXPORTED)
                .toList());
        return draw(
                Measure.KL,
                shown,
                "Smaller is to the left, better is down. The line joins those that no other betters at their size.");
    }

    /** What several runtimes scored stands once. */
    private static List<Model> firstOfStages(List<Model> models) {
        Map<String, Model> first = new LinkedHashMap<>();
        models.forEach(model -> first.putIfAbsent(model.stage(), model));
        return List.copyOf(first.values());
    }

    private static Html draw(Measure measure, List<Model> shown, String caption) {
        if (shown.size() < 2) {
            return Html.NOTHING;
        }
        Plot plot = new Plot(
                Axis.logarithmic(values(shown, Model::bytes)),
                "size on disk",
                size -> Figures.trimmed(Figures.bytes(Math.round(size))),
                measure.axis(values(shown, measure::of)),
                measure.name);
        if (measure == Measure.KL) {
            plot.path(
                    "line faint s3",
                    bestTradeOffs(shown, measure).stream()
                            .map(model -> new double[] {model.bytes(), measure.of(model)})
                            .toList());
        }
        List<Box> taken = new ArrayList<>();
        for (Model model : shown) {
            double x = plot.x(model.bytes());
            double y = plot.y(measure.of(model));
            taken.add(new Box(x - 6, y - 6, x + 6, y + 6));
        }
        for (Model model : shown) {
            String note = "%s: %s, %s %s"
                    .formatted(
                            name(model), Figures.bytes(model.bytes()), measure.name, Figures.number(measure.of(model)));
            plot.dot("point " + series(model), model.bytes(), measure.of(model), 6, note);
            label(plot, model, measure, taken);
        }
        return Html.element("figure")
                .around(
                        Html.element("h3").around(measure.title),
                        plot.finish("Size on disk against " + measure.name + " of every model"),
                        Html.element("figcaption").around(caption));
    }

    /** Those that are better than all that are no larger, smallest first. */
    private static List<Model> bestTradeOffs(List<Model> models, Measure measure) {
        List<Model> best = new ArrayList<>();
        models.stream()
                .sorted(Comparator.comparingLong(Model::bytes).thenComparingDouble(measure::of))
                .forEach(model -> {
                    if (best.isEmpty() || measure.of(model) < measure.of(best.getLast())) {
                        best.add(model);
                    }
                });
        return best;
    }

    /** Its label, and how it was made where the label does not say so. */
    private static String name(Model model) {
        String made = model.made();
        return made.isEmpty() || plain(model.label()).contains(plain(made))
                ? model.label()
                : model.label() + ": " + made;
    }

    private static String plain(String text) {
        return text.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]", "");
    }

    /** Writes the label as near to its dot as hides neither a dot nor another label, with a line to it from afar. */
    private static void label(Plot plot, Model model, Measure measure, List<Box> taken) {
        String text = measure == Measure.KL ? name(model) : model.label();
        double x = plot.x(model.bytes());
        double y = plot.y(measure.of(model));
        double width = 1.15 * Plot.textWidth(text);
        Box chosen = places(x, y, width).stream()
                .filter(box -> box.left >= 0 && box.right <= Plot.WIDTH && box.top >= 20 && box.bottom <= Plot.FLOOR)
                .filter(box -> taken.stream().noneMatch(box::overlaps))
                .findFirst()
                .orElse(new Box(x + NEAR, y - LABEL_HEIGHT / 2, x + NEAR + width, y + LABEL_HEIGHT / 2));
        taken.add(chosen);
        boolean above = chosen.bottom < y - NEAR;
        boolean below = chosen.top > y + NEAR;
        if (above || below) {
            double end = Math.clamp(x, chosen.left, chosen.right);
            plot.line("grid", x, y + (above ? -8 : 8), end, above ? chosen.bottom : chosen.top);
        }
        plot.text("label", chosen.left, chosen.bottom - 4, "start", text);
    }

    /** Where a label may stand: beside the dot, then above or below it, ever farther. */
    private static List<Box> places(double x, double y, double width) {
        List<Box> places = new ArrayList<>();
        for (int step = 0; step < FARTHEST; step++) {
            for (double rise : step == 0 ? new double[] {0} : new double[] {-step, step}) {
                double middle = y + rise * LABEL_HEIGHT + (step == 0 ? 0 : Math.signum(rise) * 3);
                double[] lefts = step == 0
                        ? new double[] {x + NEAR, x - NEAR - width}
                        : new double[] {x - width / 2, x - 4, x - width + 4};
                for (double left : lefts) {
                    places.add(new Box(left, middle - LABEL_HEIGHT / 2, left + width, middle + LABEL_HEIGHT / 2));
                }
            }
        }
        return places;
    }

    private static double[] values(List<Model> models, ToDoubleFunction<Model> value) {
        return models.stream().mapToDouble(value).toArray();
    }

    static String series(Model model) {
        return "s" + (model.kind().ordinal() + 1);
    }
}
