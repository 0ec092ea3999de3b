package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.Model;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** Size on disk against perplexity: down and to the left is better. */
final class SizeQualityChart {
    private static final double LABEL_HEIGHT = 16;

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
        Axis perplexities = Axis.fitting(values(shown, model -> model.quality().perplexity()), 10);
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

    /** Writes the label beside its dot, where it hides neither a dot nor another label if that can be. */
    private static void label(Plot plot, Model model, List<Box> taken) {
        double x = plot.x(model.bytes());
        double y = plot.y(model.quality().perplexity());
        double width = 1.15 * Plot.textWidth(model.label());
        double[][] places = {
            {x + 10, y + 4.5}, {x - 10 - width, y + 4.5}, {x - width / 2, y - 11}, {x - width / 2, y + 21},
            {x + 8, y - 8}, {x + 8, y + 18}, {x - 8 - width, y - 8}, {x - 8 - width, y + 18}
        };
        Box chosen = null;
        for (double[] place : places) {
            Box box = new Box(place[0], place[1] - LABEL_HEIGHT + 4, place[0] + width, place[1] + 4);
            boolean inside = box.left >= 0 && box.right <= Plot.WIDTH && box.top >= 0 && box.bottom <= Plot.FLOOR;
            if (inside && taken.stream().noneMatch(box::overlaps)) {
                chosen = box;
                break;
            }
        }
        if (chosen == null) {
            double left = Math.clamp(x + 10, 0, Math.max(0, Plot.WIDTH - width));
            chosen = new Box(left, y - 8, left + width, y + 8.5);
        }
        taken.add(chosen);
        plot.text("label", chosen.left, chosen.bottom - 4, "start", model.label());
    }

    private static double[] values(List<Model> models, ToDoubleFunction<Model> value) {
        return models.stream().mapToDouble(value).toArray();
    }

    static String series(Model model) {
        return "s" + (model.kind().ordinal() + 1);
    }
}
