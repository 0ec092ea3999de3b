package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.Gate;
import dev.demitasse.recipes.report.ReportData.LossCurve;
import dev.demitasse.recipes.report.ReportData.LossPoint;
import dev.demitasse.recipes.report.ReportData.Model;
import dev.demitasse.recipes.report.ReportData.Quantization;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The report as Markdown: what the page says, without the drawings. */
final class MarkdownReport {
    private final ReportData data;
    private final StringBuilder text = new StringBuilder();

    private MarkdownReport(ReportData data) {
        this.data = data;
    }

    static String render(ReportData data) {
        MarkdownReport report = new MarkdownReport(data);
        report.head();
        report.models();
        report.gates();
        report.parities();
        report.training();
        report.quantizations();
        report.samples();
        report.stages();
        report.protocol();
        return report.text.toString().stripTrailing() + "\n";
    }

    private void title(String title) {
        text.append("## ").append(title).append("\n\n");
    }

    private void head() {
        text.append("# ")
                .append(Markdown.escape(Headline.of(data)
                        .map(headline -> data.recipe() + ": " + headline.title())
                        .orElse(data.recipe())))
                .append("\n\n");
        Headline.of(data)
                .ifPresent(headline ->
                        text.append(Markdown.escape(headline.summary())).append(".\n\n"));
        text.append(Dates.day(data.finished())).append("\n\n");
    }

    private void models() {
        List<String> titles = new ArrayList<>(List.of("Model", "Made by", "Scored by"));
        Column.ALL.forEach(column -> titles.add(column.title()));
        List<List<String>> rows = new ArrayList<>();
        for (Model model : data.models()) {
            List<String> row = new ArrayList<>(List.of(
                    model.label(),
                    model.stage() + ", " + model.kind().name().toLowerCase(Locale.ROOT),
                    model.runtime()));
            Column.ALL.forEach(column -> row.add(column.of(model)));
            rows.add(row);
        }
        if (!rows.isEmpty()) {
            title("Before and after");
            text.append(SimpleTable.markdown(titles, rows));
        }
    }

    private void gates() {
        if (data.gates().isEmpty()) {
            return;
        }
        title("Gates");
        for (Gate gate : data.gates()) {
            text.append("- ")
                    .append(gate.passed() ? "✓ " : "✗ **failed** ")
                    .append(Markdown.escape("%s: %s: measured %s, allowed %s"
                            .formatted(
                                    gate.stage(),
                                    gate.demand(),
                                    Figures.number(gate.measured()),
                                    Figures.number(gate.limit()))));
            gate.detail().ifPresent(detail -> text.append("; ").append(Markdown.escape(detail)));
            text.append('\n');
        }
        text.append('\n');
    }

    private void parities() {
        if (data.parities().isEmpty()) {
            return;
        }
        title("Exports against their source");
        text.append(SimpleTable.markdown(Parities.TITLES, Parities.rows(data.parities())));
    }

    private void training() {
        if (data.lossCurves().isEmpty()) {
            return;
        }
        title("Training");
        List<List<String>> rows = new ArrayList<>();
        for (LossCurve curve : data.lossCurves()) {
            rows.add(row(curve.stage(), "training", curve.train()));
            rows.add(row(curve.stage(), "validation", curve.validation()));
        }
        text.append(SimpleTable.markdown(List.of("Stage", "Loss", "First", "Lowest", "Last", "Last step"), rows));
    }

    private static List<String> row(String stage, String kind, List<LossPoint> points) {
        double first = points.isEmpty() ? Double.NaN : points.getFirst().loss();
        double last = points.isEmpty() ? Double.NaN : points.getLast().loss();
        double lowest = points.stream().mapToDouble(LossPoint::loss).min().orElse(Double.NaN);
        return List.of(
                stage,
                kind,
                Figures.number(first),
                Figures.number(lowest),
                Figures.number(last),
                points.isEmpty()
                        ? Figures.ABSENT
                        : Long.toString(points.getLast().step()));
    }

    private void quantizations() {
        if (data.quantizations().isEmpty()) {
            return;
        }
        title("Quantization error");
        for (Quantization quantization : data.quantizations()) {
            double mean = quantization.errors().stream()
                    .mapToDouble(ReportData.TensorError::outputError)
                    .average()
                    .orElse(Double.NaN);
            text.append(Markdown.escape("%s (%s): mean relative output error %s. %s"
                            .formatted(
                                    quantization.stage(),
                                    quantization.description(),
                                    Figures.number(mean, 3),
                                    ErrorChart.worstText(quantization.errors()))))
                    .append("\n\n");
            if (!quantization.shares().isEmpty()) {
                text.append(SimpleTable.markdown(Shares.TITLES, Shares.rows(quantization)));
            }
        }
    }

    private void samples() {
        data.samples().ifPresent(samples -> {
            title("In their own words");
            if (!samples.prompt().isEmpty()) {
                text.append("Prompt:\n\n").append(Markdown.block(samples.prompt()));
            }
            samples.texts()
                    .forEach(sample -> text.append("**")
                            .append(Markdown.escape(sample.label()))
                            .append("**\n\n")
                            .append(Markdown.block(sample.text())));
        });
    }

    private void stages() {
        if (data.stages().isEmpty()) {
            return;
        }
        title("Time");
        text.append(SimpleTable.markdown(
                List.of("Stage", "Work", "Time"),
                data.stages().stream()
                        .map(stage -> List.of(
                                stage.id(),
                                stage.work(),
                                Figures.duration(stage.elapsed()) + (stage.reused() ? ", reused" : "")))
                        .toList()));
    }

    private void protocol() {
        title("How it was measured");
        data.protocol()
                .forEach(line -> text.append("- ").append(Markdown.escape(line)).append('\n'));
        text.append("- ")
                .append(Markdown.escape("Run on %s, %d cores, %s"
                        .formatted(
                                data.machine().cpu(),
                                data.machine().cores(),
                                data.machine().java())))
                .append('\n');
    }
}
