package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.Quantization;
import dev.demitasse.recipes.report.ReportData.Share;
import java.util.List;

/** What went where under a limit of size, and why: the tensors, their formats, what those and the others cost. */
final class Shares {
    static final List<String> TITLES =
            List.of("Tensor", "Format", "Bytes", "Expected KL", "Expected KL in other formats");

    private Shares() {}

    static List<List<String>> rows(Quantization quantization) {
        return quantization.shares().stream().map(Shares::row).toList();
    }

    private static List<String> row(Share share) {
        return List.of(
                share.tensor(),
                share.format(),
                "%,d".formatted(share.bytes()),
                Figures.number(share.loss(), 2),
                share.alternatives());
    }
}
