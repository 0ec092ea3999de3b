package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.LossCurve;
import dev.demitasse.recipes.report.ReportData.LossPoint;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Training and validation loss by step. */
final class LossChart {
    /** More points than this are averaged in runs: the eye sees no more, and the page stays small. */
    private static final int MOST_POINTS = 300;

    private LossChart() {}

    /** Nothing where fewer than two points were measured. */
    static Html draw(LossCurve curve) {
        List<LossPoint> train = finite(curve.train());
        List<LossPoint> validation = finite(curve.validation());
        List<LossPoint> all = Stream.concat(train.stream(), validation.stream()).toList();
        if (all.size() < 2) {
            return Html.NOTHING;
        }
        Axis steps = Axis.exact(all.stream().mapToDouble(LossPoint::step).toArray());
        Axis losses = Axis.linear(all.stream().mapToDouble(LossPoint::loss).toArray());
        Plot plot = new Plot(steps, "step", step -> Figures.trimmed(Figures.count(Math.round(step))), losses, "loss");
        plot.path("line faint s1", values(thinned(train)));
        plot.path("line s2", values(validation));
        for (LossPoint point : validation) {
            plot.dot(
                    "point s2",
                    point.step(),
                    point.loss(),
                    3.5,
                    "step %d: %s".formatted(point.step(), Figures.number(point.loss())));
        }
        return Html.element("figure")
                .around(
                        Html.element("h3").around("Training: " + curve.stage()),
                        plot.finish("Loss by step of the stage " + curve.stage()),
                        Html.element("figcaption")
                                .around(
                                        Legend.entry("s1", "training" + last(train)),
                                        Legend.entry("s2", "validation" + last(validation))));
    }

    private static String last(List<LossPoint> points) {
        return points.isEmpty()
                ? ""
                : ", at the end " + Figures.number(points.getLast().loss());
    }

    private static List<LossPoint> finite(List<LossPoint> points) {
        return points.stream().filter(point -> Double.isFinite(point.loss())).toList();
    }

    private static List<double[]> values(List<LossPoint> points) {
        return points.stream()
                .map(point -> new double[] {point.step(), point.loss()})
                .toList();
    }

    /** Means of equal runs of points. */
    static List<LossPoint> thinned(List<LossPoint> points) {
        int run = Math.ceilDiv(points.size(), MOST_POINTS);
        if (run <= 1) {
            return points;
        }
        List<LossPoint> means = new ArrayList<>();
        for (int from = 0; from < points.size(); from += run) {
            List<LossPoint> some = points.subList(from, Math.min(points.size(), from + run));
            double loss = some.stream().mapToDouble(LossPoint::loss).average().orElse(Double.NaN);
            means.add(new LossPoint(some.get(some.size() / 2).step(), loss));
        }
        return means;
    }
}
