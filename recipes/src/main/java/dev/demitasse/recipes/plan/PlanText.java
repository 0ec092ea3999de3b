package dev.demitasse.recipes.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A plan as a table. */
final class PlanText {
    private static final List<String> TITLES =
            List.of("stage", "from", "work", "parameters", "format", "size", "learns", "memory");
    /** Columns from here on are numbers, but for the format. */
    private static final int NUMBERS = 3;

    private PlanText() {}

    static String of(Plan plan) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(TITLES);
        plan.model()
                .ifPresent(model -> rows.add(List.of(
                        "model",
                        "",
                        "",
                        "%,d".formatted(model.config().parameters()),
                        model.format(),
                        size(model.bytes()),
                        "",
                        "")));
        for (PlannedStage stage : plan.stages()) {
            rows.add(List.of(
                    stage.stage().id(),
                    stage.stage().from().orElse(""),
                    stage.description(),
                    "%,d".formatted(stage.config().parameters()),
                    stage.format(),
                    size(stage.bytes()),
                    stage.tokens().isPresent() ? tokens(stage.tokens().getAsLong()) : "",
                    "~" + size(stage.memory())));
        }
        StringBuilder text = new StringBuilder();
        int[] widths = widths(rows);
        rows.forEach(row -> text.append(line(row, widths)).append('\n'));
        for (PlannedStage stage : plan.stages()) {
            stage.notes()
                    .forEach(note -> text.append(stage.stage().id())
                            .append(": ")
                            .append(note)
                            .append('\n'));
        }
        return text.append("%s on disk, about %s of memory besides the mapped weights"
                        .formatted(size(plan.bytes()), size(plan.memory())))
                .toString();
    }

    private static int[] widths(List<List<String>> rows) {
        int[] widths = new int[TITLES.size()];
        for (List<String> row : rows) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        return widths;
    }

    private static String line(List<String> row, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            String padding = " ".repeat(widths[i] - row.get(i).length());
            boolean right = i >= NUMBERS && !TITLES.get(i).equals("format");
            line.append(right ? padding + row.get(i) : row.get(i) + padding).append("  ");
        }
        return line.toString().stripTrailing();
    }

    /** Bytes with three digits: {@code 4.10 MB}. */
    static String size(long bytes) {
        if (bytes < 1000) {
            return bytes + " B";
        }
        double value = bytes;
        String unit = "";
        for (String next : List.of("kB", "MB", "GB", "TB")) {
            if (value < 999.5) {
                break;
            }
            value /= 1000;
            unit = next;
        }
        int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
        return String.format(Locale.ROOT, "%." + decimals + "f %s", value, unit);
    }

    private static String tokens(long count) {
        return count < 10_000 ? count + " tokens" : String.format(Locale.ROOT, "%.2fM tokens", count / 1e6);
    }
}
