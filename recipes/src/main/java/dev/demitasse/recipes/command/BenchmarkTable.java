package dev.demitasse.recipes.command;

import dev.demitasse.infer.CpuOptions;
import dev.demitasse.infer.bench.Measurement;
import dev.demitasse.infer.evaluate.Spread;
import dev.demitasse.infer.kernel.Lanes;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What was timed, as a table for people (Markdown, its columns aligned) and as a tree for machines. */
final class BenchmarkTable {
    private static final List<String> TITLES = List.of(
            "model",
            "size",
            "kernels",
            "threads",
            "test",
            "tokens/s",
            "(range)",
            "MB/token",
            "GB/s",
            "memory GB/s",
            "share");
    /** Columns from here on hold numbers. */
    private static final int FIRST_NUMBER = 5;

    private final List<List<String>> rows = new ArrayList<>();
    private final List<Map<String, Object>> results = new ArrayList<>();

    /**
     * A model as it was run.
     *
     * @param bytesPerToken of weights that writing a token reads
     * @param loadSeconds until it could run
     */
    record Subject(
            Path path, long bytes, long parameters, long bytesPerToken, CpuOptions options, double loadSeconds) {}

    void add(Subject subject, Measurement measurement) {
        Spread rate = measurement.rate();
        double used = rate.median() * subject.bytesPerToken();
        boolean reading = measurement.bandwidth().isPresent();
        rows.add(List.of(
                subject.path().getFileName().toString(),
                format("%.0f MB", subject.bytes() / 1e6),
                subject.options().kernels().toString(),
                Integer.toString(subject.options().threads()),
                measurement.workload().name(),
                number(rate.median()),
                number(rate.smallest()) + "–" + number(rate.largest()),
                reading ? format("%.1f", subject.bytesPerToken() / 1e6) : "",
                reading ? format("%.1f", used / 1e9) : "",
                measurement
                        .bandwidth()
                        .map(it -> format("%.1f", it.median() / 1e9))
                        .orElse(""),
                measurement
                        .bandwidthShare(subject.bytesPerToken())
                        .map(share -> format("%.0f %%", 100 * share))
                        .orElse("")));
        results.add(tree(subject, measurement));
    }

    private static Map<String, Object> tree(Subject subject, Measurement measurement) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("model", subject.path().toString());
        tree.put("bytes", subject.bytes());
        tree.put("parameters", subject.parameters());
        tree.put("kernels", subject.options().kernels().toString());
        tree.put("threads", subject.options().threads());
        tree.put("cache", subject.options().cache().name().toLowerCase(Locale.ROOT));
        tree.put("load_seconds", subject.loadSeconds());
        tree.put("test", measurement.workload().name());
        tree.put("kind", measurement.workload().kind().name().toLowerCase(Locale.ROOT));
        tree.put("tokens", measurement.workload().tokens());
        tree.put("depth", measurement.workload().depth());
        tree.put("tokens_per_second", spread(measurement.rate(), measurement.rates()));
        tree.put("warm_up_tokens_per_second", measurement.warmUps());
        measurement.bandwidth().ifPresent(bandwidth -> {
            tree.put("bytes_per_token", subject.bytesPerToken());
            tree.put("memory_bytes_per_second", spread(bandwidth, measurement.bandwidths()));
            tree.put(
                    "share_of_memory",
                    measurement.bandwidthShare(subject.bytesPerToken()).orElseThrow());
        });
        return tree;
    }

    private static Map<String, Object> spread(Spread spread, List<Double> samples) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("median", spread.median());
        tree.put("smallest", spread.smallest());
        tree.put("largest", spread.largest());
        tree.put("repetitions", samples);
        return tree;
    }

    Map<String, Object> tree() {
        Map<String, Object> machine = new LinkedHashMap<>();
        machine.put("architecture", System.getProperty("os.arch"));
        machine.put("cores", Runtime.getRuntime().availableProcessors());
        machine.put("java", Runtime.version().toString());
        machine.put("vector_bits", Lanes.COUNT * Float.SIZE);
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("machine", machine);
        tree.put("results", results);
        return tree;
    }

    List<String> lines() {
        int[] widths = new int[TITLES.size()];
        for (int column = 0; column < widths.length; column++) {
            widths[column] = TITLES.get(column).length();
            for (List<String> row : rows) {
                widths[column] = Math.max(widths[column], row.get(column).length());
            }
        }
        List<String> lines = new ArrayList<>();
        lines.add(line(TITLES, widths));
        StringBuilder rule = new StringBuilder("|");
        for (int column = 0; column < widths.length; column++) {
            rule.append('-').append("-".repeat(widths[column])).append(column < FIRST_NUMBER ? "-|" : ":|");
        }
        lines.add(rule.toString());
        rows.forEach(row -> lines.add(line(row, widths)));
        return lines;
    }

    private static String line(List<String> cells, int[] widths) {
        StringBuilder line = new StringBuilder("|");
        for (int column = 0; column < widths.length; column++) {
            String space = " ".repeat(widths[column] - cells.get(column).length());
            line.append(' ')
                    .append(column < FIRST_NUMBER ? cells.get(column) + space : space + cells.get(column))
                    .append(" |");
        }
        return line.toString();
    }

    private static String number(double value) {
        return format(value < 10 ? "%.2f" : "%.1f", value);
    }

    private static String format(String pattern, Object value) {
        return String.format(Locale.ROOT, pattern, value);
    }
}
