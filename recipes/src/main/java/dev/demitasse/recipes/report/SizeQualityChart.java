package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.Model;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** Size on disk against perplexity: down and to the left is better. */
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

    private SizeQualityChart() {}

    /** Nothing for fewer than two models with a perplexity. */
    static Html draw(List<Model> models) {
        List<Model> shown = new ArrayList<>();
        for (Model model : models) {
            boolean first = shown.stream().noneMatch(other -> other.stage().equals(model.stage()));
            if (first && Double.isFinite(model.quality().perplexity())) {
                shown.add(model);
            }
        }
        if (shown.size() < 2) {
            return Html.NOTHING;
        }
        Axis sizes = Axis.logarithmic(values(shown, Model::bytes));
        Axis perplexities = Axis.fitting(values(shown, model -> model.quality().perplexity()), 1.8);
        Plot plot = new Plot(
                sizes,
                "size on disk",
                size -> Figures.trimmed(Figures.bytes(Math.round(size))),
                perplexities,
                "perplexity");
        List<Box> taken = new ArrayList<>();
        for (Model model : shown) {
            double x = plot.x(model.bytes());
            double y = plot.y(model.quality().perplexity());
            taken.add(new Box(x - 6, y - 6, x + 6, y + 6));
        }
        for (Model model : shown) {
            double perplexity = model.quality().perplexity();
            String note = "%s: %s, perplexity %s"
                    .formatted(model.label(), Figures.bytes(model.bytes()), Figures.number(perplexity));
            plot.dot("point " + series(model), model.bytes(), perplexity, 6, note);
            label(plot, model, taken);
        }
        return Html.element("figure")
                .around(
                        Html.element("h3").around("Size against quality"),
                        plot.finish("Size on disk against perplexity of every model"),
                        Html.element("figcaption").around("Smaller is to the left, better is down."));
    }

    /** Writes the label as near to its dot as hides neither a dot nor another label, with a line to it from afar. */
    private static void label(Plot plot, Model model, List<Box> taken) {
        double x = plot.x(model.bytes());
        double y = plot.y(model.quality().perplexity());
        double width = 1.15 * Plot.textWidth(model.label());
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
        plot.text("label", chosen.left, chosen.bottom - 4, "start", model.label());
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
