package dev.demitasse.recipes.report;

import dev.demitasse.model.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Path;

/** Writes what a run came to, for people. */
public final class Report {
    private Report() {}

    /** Writes {@code report.html} and {@code report.md} into {@code folder}. */
    public static void write(ReportData data, Path folder) throws IOException {
        AtomicFile.write(folder.resolve("report.html"), HtmlReport.render(data));
        AtomicFile.write(folder.resolve("report.md"), MarkdownReport.render(data));
    }
}
