package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.Quantization;
import dev.demitasse.recipes.report.ReportData.TensorError;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** What quantization did to each matrix, by layer. */
final class ErrorChart {
    private static final int WORST = 3;

    private ErrorChart() {}

    /** Nothing where no matrix of a layer was measured. */
    static Html draw(Quantization quantization) {
        List<TensorError> errors = quantization.errors().stream()
                .filter(error -> error.layer().isPresent() && Double.isFinite(error.outputError()))
                .toList();
        if (errors.isEmpty()) {
            return Html.NOTHING;
        }
        int last = errors.stream().mapToInt(error -> layer(error)).max().orElse(0);
        double worst =
                errors.stream().mapToDouble(TensorError::outputError).max().orElse(0);
        Axis layers = new Axis(-0.5, last + 0.5, false, layerTicks(last));
        Plot plot = new Plot(
                layers,
                "layer",
                layer -> Long.toString(Math.round(layer)),
                Axis.linear(new double[] {0, worst}),
                "relative output error");
        Map<Integer, Double> means = errors.stream()
                .collect(Collectors.groupingBy(
                        ErrorChart::layer, TreeMap::new, Collectors.averagingDouble(TensorError::outputError)));
        plot.path(
                "line faint s3",
                means.entrySet().stream()
                        .map(mean -> new double[] {mean.getKey(), mean.getValue()})
                        .toList());
        for (TensorError error : errors) {
            String note = error.tensor() + ": " + Figures.number(error.outputError());
            plot.dot("point " + series(error), layer(error), error.outputError(), 4.5, note);
        }
        return Html.element("figure")
                .around(
                        Html.element("h3")
                                .around("Quantization: " + quantization.stage() + " (" + quantization.description()
                                        + ")"),
                        plot.finish("Relative output error by layer of the stage " + quantization.stage()),
                        Html.element("figcaption")
                                .around(
                                        Legend.entry("s1", "attention"),
                                        Legend.entry("s2", "feed-forward"),
                                        Legend.entry("s3", "mean of the layer"),
                                        Html.element("p").around(worstText(errors))));
    }

    /** The matrices with the largest errors, in words. */
    static String worstText(List<TensorError> errors) {
        return "Largest: "
                + worst(errors).stream()
                        .map(error -> error.tensor() + " " + Figures.number(error.outputError(), 3))
                        .collect(Collectors.joining(", "));
    }

    private static List<TensorError> worst(List<TensorError> errors) {
        return errors.stream()
                .filter(error -> Double.isFinite(error.outputError()))
                .sorted(Comparator.comparingDouble(TensorError::outputError).reversed())
                .limit(WORST)
                .toList();
    }

    private static List<Double> layerTicks(int last) {
        return java.util.stream.IntStream.rangeClosed(0, last)
                .mapToObj(layer -> (double) layer)
                .toList();
    }

    private static int layer(TensorError error) {
        return error.layer().orElseThrow();
    }

    private static String series(TensorError error) {
        return error.tensor().contains("attn") ? "s1" : "s2";
    }
}
