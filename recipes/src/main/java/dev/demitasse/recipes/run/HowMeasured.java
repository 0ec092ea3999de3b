package dev.demitasse.recipes.run;

import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.infer.evaluate.Keeping;
import dev.demitasse.infer.evaluate.TailError;
import dev.demitasse.recipes.language.Recipe;
import dev.demitasse.recipes.report.ReportData.Machine;
import dev.demitasse.recipes.run.Scores.Sheet;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Tells in a report how its figures came about. */
final class HowMeasured {
    private final Recipe recipe;
    private final String baseline;
    private final Map<String, Sheet> measured;

    /** @param baseline what people call the model that others are compared with */
    HowMeasured(Recipe recipe, String baseline, Map<String, Sheet> measured) {
        this.recipe = recipe;
        this.baseline = baseline;
        this.measured = measured;
    }

    /** A sentence each. */
    List<String> protocol() {
        List<String> lines = new ArrayList<>();
        recipe.data().test().ifPresent(test -> {
            Sheet any = measured.values().stream().findFirst().orElse(null);
            long tokens = any == null || any.builtIn().quality() == null
                    ? 0
                    : any.builtIn().quality().tokensScored();
            lines.add(
                    switch (recipe.evaluate().protocol()) {
                        case DEFAULT ->
                            "Perplexity over %,d tokens of held-out text in windows of %,d that do not overlap; every token but each window's first is scored."
                                    .formatted(tokens, test.length());
                        case LLAMACPP ->
                            "Perplexity over %,d tokens of held-out text as llama-perplexity counts: the second half of windows of %,d."
                                    .formatted(tokens, test.length());
                    });
        });
        lines.add(
                "KL is the divergence from %s, in nats per token; top-1 the share of tokens where both expect the same token most; RMS Δp how far the right token's probability moves; ± is one standard error over tokens."
                        .formatted(baseline));
        tailErrors().ifPresent(lines::add);
        lines.add(
                "Exported files were measured themselves, read back from disk; documents follow one another, each begun by the model's bos.");
        lines.add("Speed is the best of some repetitions on this machine, and only to be compared within this table.");
        return lines;
    }

    /** What it cost that references' predictions were not kept whole. */
    private Optional<String> tailErrors() {
        List<TailError> errors = measured.values().stream()
                .flatMap(sheet -> sheet.scores().stream())
                .flatMap(scores -> scores.divergences().values().stream())
                .map(Divergence::tail)
                .filter(tail -> !tail.none())
                .toList();
        return errors.isEmpty()
                ? Optional.empty()
                : Optional.of(
                        "References' predictions were kept as their %d likeliest tokens and %d draws from the others, which had %s of the probability: mean KL is right within a standard error of %s."
                                .formatted(
                                        Keeping.TOP.top(),
                                        Keeping.TOP.samples(),
                                        "%.2g %%"
                                                .formatted(100
                                                        * errors.stream()
                                                                .mapToDouble(TailError::share)
                                                                .max()
                                                                .orElse(0)),
                                        "%.1g"
                                                .formatted(errors.stream()
                                                        .mapToDouble(TailError::standardError)
                                                        .max()
                                                        .orElse(0))));
    }

    static Machine machine() {
        return new Machine(
                cpu(),
                Runtime.getRuntime().availableProcessors(),
                System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
    }

    private static String cpu() {
        java.nio.file.Path file = java.nio.file.Path.of("/proc/cpuinfo");
        if (Files.isReadable(file)) {
            try (var lines = Files.lines(file)) {
                Optional<String> name = lines.filter(line -> line.startsWith("model name"))
                        .map(line -> line.substring(line.indexOf(':') + 1).strip())
                        .findFirst();
                if (name.isPresent()) {
                    return name.get();
                }
            } catch (IOException | java.io.UncheckedIOException e) {
                return System.getProperty("os.arch", "unknown");
            }
        }
        return System.getProperty("os.arch", "unknown");
    }
}
