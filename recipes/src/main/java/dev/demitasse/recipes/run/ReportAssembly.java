package dev.demitasse.recipes.run;

import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.recipes.language.Export;
import dev.demitasse.recipes.language.Gate;
import dev.demitasse.recipes.language.Quantize;
import dev.demitasse.recipes.language.Recipe;
import dev.demitasse.recipes.language.Stage;
import dev.demitasse.recipes.report.Report;
import dev.demitasse.recipes.report.ReportData;
import dev.demitasse.recipes.report.ReportData.Difference;
import dev.demitasse.recipes.report.ReportData.Kind;
import dev.demitasse.recipes.report.ReportData.LossCurve;
import dev.demitasse.recipes.report.ReportData.LossPoint;
import dev.demitasse.recipes.report.ReportData.Model;
import dev.demitasse.recipes.report.ReportData.Parity;
import dev.demitasse.recipes.report.ReportData.Quality;
import dev.demitasse.recipes.report.ReportData.Quantization;
import dev.demitasse.recipes.report.ReportData.Sample;
import dev.demitasse.recipes.report.ReportData.Samples;
import dev.demitasse.recipes.report.ReportData.Share;
import dev.demitasse.recipes.report.ReportData.Speed;
import dev.demitasse.recipes.report.ReportData.TensorError;
import dev.demitasse.recipes.run.Scores.Sheet;
import dev.demitasse.recipes.run.StageDetails.CurvePoint;
import dev.demitasse.recipes.store.RunFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Gathers what a run found out into its report. */
final class ReportAssembly {
    private static final String HTML = "report.html";
    private static final String MARKDOWN = "report.md";

    private final Recipe recipe;
    private final RunFolder folder;
    private final Map<String, Sheet> measured;
    private final Map<String, StageDetails> details;
    private final List<GateResult> gates;
    private final Set<String> stagesDone;

    /**
     * @param measured what was measured, by id
     * @param details what stages told of themselves, by id
     * @param stagesDone ids of the stages that this run did
     */
    ReportAssembly(
            Recipe recipe,
            RunFolder folder,
            Map<String, Sheet> measured,
            Map<String, StageDetails> details,
            List<GateResult> gates,
            Set<String> stagesDone) {
        this.recipe = recipe;
        this.folder = folder;
        this.measured = measured;
        this.details = details;
        this.gates = gates;
        this.stagesDone = stagesDone;
    }

    static boolean isThere(RunFolder folder) {
        return Files.exists(folder.path().resolve(HTML))
                && Files.exists(folder.path().resolve(MARKDOWN));
    }

    /** Writes report.html and report.md. */
    void write() throws IOException {
        Report.write(data(), folder.path());
    }

    private ReportData data() throws IOException {
        List<Model> models = new ArrayList<>();
        measured.values().forEach(sheet -> sheet.scores().forEach(scores -> models.add(model(scores))));
        return new ReportData(
                recipe.name(),
                ZonedDateTime.now(),
                HowMeasured.machine(),
                new HowMeasured(recipe, label(recipe.baseline()), measured).protocol(),
                models,
                gates.stream().map(ReportAssembly::gate).toList(),
                parities(),
                curves(),
                quantizations(),
                samples(),
                stages());
    }

    private Model model(Scores scores) {
        Optional<Stage> stage = stage(scores.id());
        Optional<String> file = stage.filter(made -> made.work() instanceof Export)
                .map(made -> "artifacts/" + ((Export) made.work()).fileName(made.id()));
        return new Model(
                scores.id(),
                label(scores.id()),
                kind(stage),
                stage.filter(made -> made.work() instanceof Quantize)
                        .map(made -> ((Quantize) made.work()).description())
                        .orElse(""),
                scores.format(),
                scores.parameters(),
                scores.bytes(),
                file,
                scores.runtime().title(),
                quality(scores),
                scores.speed() == null
                        ? Speed.NONE
                        : new Speed(scores.speed().prefill(), scores.speed().decode()));
    }

    private String label(String id) {
        return id.equals(Recipe.MODEL)
                ? recipe.model().map(model -> model.written()).orElse(id)
                : id;
    }

    private Optional<Stage> stage(String id) {
        return recipe.stages().stream().filter(stage -> stage.id().equals(id)).findFirst();
    }

    private static Kind kind(Optional<Stage> stage) {
        if (stage.isEmpty()) {
            return Kind.ORIGINAL;
        }
        return switch (stage.get().work()) {
            case dev.demitasse.recipes.language.Pretrain pretrain -> Kind.PRETRAINED;
            case dev.demitasse.recipes.language.Prune prune -> Kind.PRUNED;
            case dev.demitasse.recipes.language.Distill distill -> Kind.DISTILLED;
            case Quantize quantize -> Kind.QUANTIZED;
            case Export export -> Kind.EXPORTED;
        };
    }

    private Quality quality(Scores scores) {
        Scores.@Nullable Figures figures = scores.quality();
        return figures == null
                ? Quality.NONE
                : new Quality(figures.perplexity(), figures.standardError(), figures.bitsPerByte(), difference(scores));
    }

    private Difference difference(Scores scores) {
        @Nullable Divergence divergence = scores.divergences().get(recipe.baseline());
        if (divergence == null) {
            double ratio = perplexity(scores) / perplexity(measured.get(recipe.baseline()));
            return Difference.ratio(ratio);
        }
        return new Difference(
                divergence.perplexity().ratio().value(),
                divergence.perplexity().ratio().standardError(),
                divergence.kl().value(),
                divergence.kl().standardError(),
                divergence.klSpread().median(),
                divergence.p99Kl(),
                divergence.klSpread().largest(),
                divergence.top1Agreement(),
                divergence.rmsProbability().value());
    }

    private static ReportData.Gate gate(GateResult result) {
        Gate gate = result.gate();
        double limit = gate.maximum().orElse(gate.minimum().orElse(Double.NaN));
        return new ReportData.Gate(
                result.stage(), gate.toString(), result.value(), limit, result.passed(), result.culprits());
    }

    private List<Parity> parities() {
        List<Parity> parities = new ArrayList<>();
        for (Sheet sheet : measured.values()) {
            for (Scores scores : sheet.scores()) {
                Scores.@Nullable Parity parity = scores.parity();
                Optional<Stage> stage = stage(scores.id());
                if (parity == null || stage.isEmpty() || !(stage.get().work() instanceof Export export)) {
                    continue;
                }
                parities.add(new Parity(
                        export.fileName(scores.id()),
                        parity.source(),
                        scores.runtime().title(),
                        parity.maximumDifference(),
                        perplexity(measured.get(parity.source())),
                        perplexity(scores)));
            }
        }
        return parities;
    }

    private static double perplexity(@Nullable Sheet sheet) {
        return sheet == null ? Double.NaN : perplexity(sheet.builtIn());
    }

    private static double perplexity(Scores scores) {
        return scores.quality() == null ? Double.NaN : scores.quality().perplexity();
    }

    private List<LossCurve> curves() {
        List<LossCurve> curves = new ArrayList<>();
        details.forEach((id, detail) -> {
            if (!detail.curve().isEmpty()) {
                List<LossPoint> train = new ArrayList<>();
                List<LossPoint> validation = new ArrayList<>();
                for (CurvePoint point : detail.curve()) {
                    if (point.loss() != null) {
                        train.add(new LossPoint(point.step(), point.loss()));
                    }
                    if (point.validation() != null) {
                        validation.add(new LossPoint(point.step(), point.validation()));
                    }
                }
                curves.add(new LossCurve(id, train, validation));
            }
        });
        return curves;
    }

    private static Share share(StageDetails.Share share) {
        String alternatives = share.losses().entrySet().stream()
                .filter(entry -> !entry.getKey().equals(share.format()))
                .map(entry -> "%s %.2g".formatted(entry.getKey(), entry.getValue()))
                .collect(Collectors.joining(", "));
        return new Share(share.tensor(), share.format(), share.bytes(), share.loss(), alternatives);
    }

    private List<Quantization> quantizations() {
        List<Quantization> quantizations = new ArrayList<>();
        for (Stage stage : recipe.stages()) {
            StageDetails detail = details.get(stage.id());
            if (detail != null && stage.work() instanceof Quantize quantize) {
                List<TensorError> errors = detail.errors().stream()
                        // The report shows norms, ‖WX − ŴX‖ / ‖WX‖; stages keep squares.
                        .map(error -> new TensorError(
                                error.tensor(),
                                Math.sqrt(error.outputError() == null ? error.weightError() : error.outputError())))
                        .toList();
                quantizations.add(new Quantization(
                        stage.id(),
                        quantize.description(),
                        errors,
                        detail.shares().stream().map(ReportAssembly::share).toList()));
            }
        }
        return quantizations;
    }

    private Optional<Samples> samples() {
        List<Sample> samples = new ArrayList<>();
        measured.forEach((id, sheet) -> {
            if (sheet.builtIn().sample() != null) {
                samples.add(new Sample(label(id), sheet.builtIn().sample()));
            }
        });
        return samples.isEmpty() ? Optional.empty() : Optional.of(new Samples("", samples));
    }

    private List<ReportData.Stage> stages() throws IOException {
        List<ReportData.Stage> stages = new ArrayList<>();
        for (Stage stage : recipe.stages()) {
            var stored = folder.record(stage.id());
            if (stored.isPresent() && details.containsKey(stage.id())) {
                stages.add(new ReportData.Stage(
                        stage.id(),
                        stage.work().name(),
                        Duration.ofMillis(Math.round(stored.get().seconds() * 1000)),
                        !stagesDone.contains(stage.id())));
            }
        }
        return stages;
    }
}
