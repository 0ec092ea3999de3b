package dev.demitasse.recipes.report;

import static dev.demitasse.recipes.report.Html.element;

import dev.demitasse.recipes.report.ReportData.Gate;
import dev.demitasse.recipes.report.ReportData.Kind;
import dev.demitasse.recipes.report.ReportData.Model;
import dev.demitasse.recipes.report.ReportData.Sample;
import dev.demitasse.recipes.report.ReportData.Stage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/** The report as one page that asks nothing of the network: style and drawings are inside it. */
final class HtmlReport {
    private final ReportData data;

    private HtmlReport(ReportData data) {
        this.data = data;
    }

    static String render(ReportData data) {
        return new HtmlReport(data).page();
    }

    private String page() {
        Html head = element("head")
                .around(
                        element("meta").with("charset", "utf-8").empty(),
                        element("meta")
                                .with("name", "viewport")
                                .with("content", "width=device-width, initial-scale=1")
                                .empty(),
                        element("meta")
                                .with("name", "color-scheme")
                                .with("content", "light dark")
                                .empty(),
                        element("title").around(data.recipe() + " – Demitasse"),
                        Html.style(styleSheet()));
        Html body = element("body")
                .around(element("main")
                        .around(header(), models(), charts(), gates(), shares(), parities(), samples(), howMeasured()));
        return "<!DOCTYPE html>\n" + element("html").with("lang", "en").around(head, body) + "\n";
    }

    private static String styleSheet() {
        try (InputStream css = Objects.requireNonNull(HtmlReport.class.getResourceAsStream("report.css"))) {
            return new String(css.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Html header() {
        List<Html> parts = new ArrayList<>();
        parts.add(element("p", "eyebrow")
                .around(Html.text("Demitasse · " + data.recipe() + " · " + Dates.day(data.finished()))));
        Headline.of(data)
                .ifPresentOrElse(
                        headline -> {
                            parts.add(element("h1").around(headline.title()));
                            parts.add(element("p", "lead").around(headline.summary()));
                            parts.add(element("p", "verdict").around(verdict(), shipped(headline.after())));
                            parts.add(element("div", "tiles")
                                    .around(headline.contrasts().stream()
                                            .map(HtmlReport::tile)
                                            .toList()));
                        },
                        () -> parts.add(element("h1").around(data.recipe())));
        return element("header").around(parts);
    }

    private static Html tile(Headline.Contrast contrast) {
        return element("div", "tile")
                .around(
                        element("span", "tile-name").around(contrast.name()),
                        element("span", "tile-value").around(contrast.after()),
                        element("span", "tile-note").around("from " + contrast.before() + " · " + contrast.verdict()));
    }

    private Html verdict() {
        if (data.gates().isEmpty()) {
            return Html.NOTHING;
        }
        long failed = data.gates().stream().filter(gate -> !gate.passed()).count();
        int all = data.gates().size();
        return failed == 0
                ? element("span", "badge passed").around(all == 1 ? "✓ the gate held" : "✓ all " + all + " gates held")
                : element("span", "badge failed").around("✗ " + failed + " of " + all + " gates failed");
    }

    private static Html shipped(Model model) {
        return element("span", "shipped")
                .around(
                        Html.text("The smallest of what came out: " + model.label()),
                        model.file()
                                .map(file ->
                                        Html.of(Html.text(", "), element("code").around(file)))
                                .orElse(Html.NOTHING));
    }

    private static Html section(String title, Html... content) {
        return element("section").around(element("h2").around(title), Html.of(content));
    }

    private Html models() {
        if (data.models().isEmpty()) {
            return Html.NOTHING;
        }
        List<Html> titles = new ArrayList<>();
        titles.add(element("th").with("scope", "col").around("Model"));
        for (Column column : Column.ALL) {
            titles.add(element("th")
                    .with("scope", "col")
                    .with("title", column.explanation())
                    .around(column.title()));
        }
        return section(
                "Before and after",
                element("div", "wide")
                        .around(element("table", "models")
                                .around(
                                        element("thead").around(element("tr").around(titles)),
                                        element("tbody")
                                                .around(data.models().stream()
                                                        .map(this::modelRow)
                                                        .toList()))));
    }

    private Html modelRow(Model model) {
        List<Html> cells = new ArrayList<>();
        cells.add(element("th", "model")
                .with("scope", "row")
                .around(
                        element("span", "name").around(model.label()),
                        element("span", "kind")
                                .around(
                                        element("i", "swatch " + SizeQualityChart.series(model))
                                                .empty(),
                                        Html.text(kind(model.kind()) + " · " + model.runtime()))));
        long largest = data.models().stream().mapToLong(Model::bytes).max().orElse(1);
        for (Column column : Column.ALL) {
            boolean size = column.title().equals("Size");
            Html bar = size
                    ? element("span", "bar")
                            .around(element("i", SizeQualityChart.series(model))
                                    .with("style", width((double) model.bytes() / largest))
                                    .empty())
                    : Html.NOTHING;
            cells.add(element("td")
                    .with("data-label", column.title())
                    .around(element("span").around(column.of(model)), bar));
        }
        return element("tr", model.kind().name().toLowerCase(Locale.ROOT)).around(cells);
    }

    private static String kind(Kind kind) {
        return kind.name().toLowerCase(Locale.ROOT);
    }

    private static String width(double part) {
        return "width:" + Html.coordinate(100 * Math.clamp(part, 0, 1)) + "%";
    }

    private Html charts() {
        List<Html> figures = new ArrayList<>();
        figures.add(SizeQualityChart.perplexity(data.models()));
        figures.add(SizeQualityChart.divergence(data.models()));
        data.lossCurves().forEach(curve -> figures.add(LossChart.draw(curve)));
        data.quantizations().forEach(quantization -> figures.add(ErrorChart.draw(quantization)));
        boolean none = figures.stream().allMatch(figure -> figure.toString().isEmpty());
        return none
                ? Html.NOTHING
                : section("How it went", element("div", "figures").around(figures));
    }

    private Html shares() {
        List<Html> tables = data.quantizations().stream()
                .filter(quantization -> !quantization.shares().isEmpty())
                .map(quantization -> section(
                        "What went where: " + quantization.stage(),
                        SimpleTable.html(Shares.TITLES, Shares.rows(quantization))))
                .toList();
        return tables.isEmpty() ? Html.NOTHING : element("div").around(tables);
    }

    private Html gates() {
        if (data.gates().isEmpty()) {
            return Html.NOTHING;
        }
        return section(
                "Gates",
                element("ul", "gates")
                        .around(data.gates().stream().map(HtmlReport::gate).toList()));
    }

    private static Html gate(Gate gate) {
        return element("li", gate.passed() ? "passed" : "failed")
                .around(
                        element("span", "mark").around(gate.passed() ? "✓" : "✗"),
                        element("div")
                                .around(
                                        element("strong").around(gate.stage()),
                                        Html.text(" " + gate.demand()),
                                        element("p")
                                                .around("measured " + Figures.number(gate.measured()) + ", allowed "
                                                        + Figures.number(gate.limit())),
                                        gate.detail()
                                                .map(detail -> element("p").around(detail))
                                                .orElse(Html.NOTHING)));
    }

    private Html parities() {
        if (data.parities().isEmpty()) {
            return Html.NOTHING;
        }
        return section(
                "Exports against their source", SimpleTable.html(Parities.TITLES, Parities.rows(data.parities())));
    }

    private Html samples() {
        return data.samples()
                .map(samples -> section(
                        "In their own words",
                        samples.prompt().isEmpty()
                                ? element("p", "prompt")
                                        .around("Each begins by itself, and takes its likeliest token every time.")
                                : element("p", "prompt")
                                        .around(
                                                Html.text("Prompt: "),
                                                element("q").around(samples.prompt())),
                        element("div", "samples")
                                .around(samples.texts().stream()
                                        .map(sample -> sample(samples.prompt(), sample))
                                        .toList())))
                .orElse(Html.NOTHING);
    }

    private static Html sample(String prompt, Sample sample) {
        return element("article")
                .around(
                        element("h3").around(sample.label()),
                        element("p", "written")
                                .around(element("span", "given").around(prompt), Html.text(sample.text())));
    }

    private Html howMeasured() {
        Duration longest = data.stages().stream()
                .map(Stage::elapsed)
                .max(Duration::compareTo)
                .orElse(Duration.ZERO);
        List<Html> stages = data.stages().stream()
                .map(stage -> element("li")
                        .around(
                                element("span", "stage").around(stage.id()),
                                element("span", "work").around(stage.work()),
                                element("span", "bar")
                                        .around(element("i", "s1")
                                                .with("style", width(share(stage.elapsed(), longest)))
                                                .empty()),
                                element("span", "time")
                                        .around(Figures.duration(stage.elapsed())
                                                + (stage.reused() ? ", reused" : ""))))
                .toList();
        List<Html> protocol = new ArrayList<>();
        data.protocol().forEach(line -> protocol.add(element("li").around(line)));
        protocol.add(element("li")
                .around("Run on %s, %d cores, %s"
                        .formatted(
                                data.machine().cpu(),
                                data.machine().cores(),
                                data.machine().java())));
        return Html.of(
                stages.isEmpty()
                        ? Html.NOTHING
                        : section("Time", element("ol", "stages").around(stages)),
                section("How it was measured", element("ul", "protocol").around(protocol)));
    }

    private static double share(Duration part, Duration whole) {
        return whole.isZero() ? 0 : (double) part.toMillis() / Math.max(1, whole.toMillis());
    }
}
