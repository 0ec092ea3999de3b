package dev.demitasse.recipes.command;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.SensitivityOptions;
import dev.demitasse.quantize.SensitivityOptions.Measure;
import dev.demitasse.quantize.SensitivityReport;
import dev.demitasse.quantize.SensitivityReport.Cost;
import dev.demitasse.quantize.SensitivityReport.Row;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** A table of sensitivities, for people and for machines. */
final class SensitivityText {
    private static final String NONE = "–";

    private final SensitivityReport report;
    private final SensitivityOptions options;

    SensitivityText(SensitivityReport report, SensitivityOptions options) {
        this.report = report;
        this.options = options;
    }

    /** A row for each group, a column for each format. */
    List<String> lines() {
        int width = 12
                + Math.max(
                        14,
                        report.rows().stream()
                                .mapToInt(row -> row.name().length())
                                .max()
                                .orElse(0));
        String first = "%-" + (width - 11) + "s%11s";
        List<String> lines = new ArrayList<>();
        StringBuilder head = new StringBuilder(first.formatted("", "numbers"));
        options.formats().forEach(format -> head.append("%15s".formatted(format.weightName())));
        lines.add(head.toString());
        for (Row row : report.rows()) {
            lines.add(line(first, row));
        }
        if (options.measure() == Measure.KL) {
            lines.add(sums(first));
        }
        lines.add(line(first, report.everything()));
        lines.add("");
        lines.add(
                options.measure() == Measure.KL
                        ? "Mean KL divergence of the predictions, nats per token, over %,d tokens."
                                .formatted(report.tokens())
                        : "|X(W-Q)|² / |XW|² of each part's matrices, over %,d tokens.".formatted(report.tokens()));
        notes(lines);
        return lines;
    }

    private String line(String first, Row row) {
        StringBuilder line = new StringBuilder(first.formatted(row.name(), "%,d".formatted(row.parameters())));
        for (TensorFormat format : options.formats()) {
            line.append("%15s".formatted(cost(row, format).map(this::cell).orElse(NONE)));
        }
        return line.toString();
    }

    /** What everything would cost if costs added up. */
    private String sums(String first) {
        StringBuilder line = new StringBuilder(first.formatted("the parts' sum", ""));
        for (TensorFormat format : options.formats()) {
            double sum = report.rows().stream()
                    .flatMap(row -> cost(row, format).stream())
                    .flatMap(cost -> cost.divergence().stream())
                    .mapToDouble(Divergence::meanKl)
                    .sum();
            line.append("%15s".formatted(sum == 0 ? NONE : String.format(Locale.ROOT, "%.3g", sum)));
        }
        return line.toString();
    }

    private static Optional<Cost> cost(Row row, TensorFormat format) {
        return Optional.ofNullable(row.costs().get(format));
    }

    private String cell(Cost cost) {
        Optional<Double> value =
                options.measure() == Measure.KL ? cost.divergence().map(Divergence::meanKl) : cost.outputError();
        return value.map(number -> String.format(Locale.ROOT, "%.3g", number) + (cost.left() > 0 ? "*" : ""))
                .orElse(NONE);
    }

    private void notes(List<String> lines) {
        for (TensorFormat format : options.formats()) {
            int left = cost(report.everything(), format)
                    .map(Cost::left)
                    .orElse(report.everything().tensors());
            if (left > 0) {
                lines.add(
                        "%s: %,d of %,d tensors have rows that its blocks of %d do not fill, and stay as they are (%s, *)."
                                .formatted(
                                        format.weightName(),
                                        left,
                                        report.everything().tensors(),
                                        format.blockSize(),
                                        NONE));
            }
        }
    }

    /** As a tree of names and numbers. */
    Map<String, Object> tree(TokenWindows text) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("tokens", report.tokens());
        tree.put("windows", text.count());
        tree.put("length", text.length());
        tree.put("data", text.fingerprint());
        tree.put("parts", report.rows().stream().map(SensitivityText::tree).toList());
        tree.put("everything", tree(report.everything()));
        return tree;
    }

    private static Map<String, Object> tree(Row row) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("name", row.name());
        row.role().ifPresent(role -> tree.put("role", role.name().toLowerCase(Locale.ROOT)));
        row.layer().ifPresent(layer -> tree.put("layer", layer));
        tree.put("tensors", row.tensors());
        tree.put("parameters", row.parameters());
        Map<String, Object> formats = new LinkedHashMap<>();
        row.costs().forEach((format, cost) -> formats.put(format.weightName(), tree(row, cost)));
        tree.put("formats", formats);
        return tree;
    }

    private static Map<String, Object> tree(Row row, Cost cost) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("bytes", cost.bytes());
        tree.put("bits_per_weight", 8.0 * cost.bytes() / row.parameters());
        tree.put("tensors_left", cost.left());
        tree.put("weight_error", cost.weightError());
        cost.outputError().ifPresent(error -> tree.put("output_error", error));
        cost.divergence().ifPresent(divergence -> {
            tree.put("mean_kl", divergence.kl().value());
            tree.put("mean_kl_standard_error", divergence.kl().standardError());
            tree.put("kl_99", divergence.p99Kl());
            tree.put("top1", divergence.top1Agreement());
        });
        return tree;
    }
}
