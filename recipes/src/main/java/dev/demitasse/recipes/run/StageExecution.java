package dev.demitasse.recipes.run;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.datasets.bpe.BpeTrainer;
import dev.demitasse.distill.LossWeights;
import dev.demitasse.distill.Student;
import dev.demitasse.distill.Training;
import dev.demitasse.distill.TrainingJob;
import dev.demitasse.distill.TrainingOptions;
import dev.demitasse.distill.TrainingReport;
import dev.demitasse.export.ExportReport;
import dev.demitasse.export.gguf.GgufExport;
import dev.demitasse.export.gguf.GgufOptions;
import dev.demitasse.export.huggingface.HuggingFaceExport;
import dev.demitasse.export.onnx.OnnxExport;
import dev.demitasse.export.onnx.OnnxOptions;
import dev.demitasse.infer.calibrate.InputCalibration;
import dev.demitasse.infer.calibrate.RangeChoice;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.gguf.ImportanceMatrix;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.tokenizer.Tokenizer;
import dev.demitasse.prune.PruneReport;
import dev.demitasse.prune.Pruning;
import dev.demitasse.quantize.Budget;
import dev.demitasse.quantize.BudgetPlan;
import dev.demitasse.quantize.Quantization;
import dev.demitasse.quantize.QuantizationJob;
import dev.demitasse.quantize.QuantizationReport;
import dev.demitasse.quantize.mix.Mix;
import dev.demitasse.recipes.language.DataEntry;
import dev.demitasse.recipes.language.Distill;
import dev.demitasse.recipes.language.Export;
import dev.demitasse.recipes.language.Pretrain;
import dev.demitasse.recipes.language.Prune;
import dev.demitasse.recipes.language.Quantize;
import dev.demitasse.recipes.language.TrainingSettings;
import dev.demitasse.recipes.language.Work;
import dev.demitasse.recipes.plan.WorkOptions;
import dev.demitasse.recipes.run.StageDetails.CurvePoint;
import dev.demitasse.recipes.run.StageDetails.Share;
import dev.demitasse.recipes.run.StageDetails.TensorError;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Does the work of one stage. */
final class StageExecution {
    /** Tokens whose predictions tell what a tensor's rounding costs. */
    private static final int PROBED_TOKENS = 4096;

    private final Corpora corpora;
    private final long seed;
    private final Progress progress;

    StageExecution(Corpora corpora, long seed, Progress progress) {
        this.corpora = corpora;
        this.seed = seed;
        this.progress = progress;
    }

    /**
     * Where a stage reads and writes.
     *
     * @param input what it starts from; empty for a model made from nothing
     * @param teacher of a distillation
     * @param output folder for a checkpoint, or the file to export to
     * @param work folder that outlives a kill
     */
    record Places(Optional<Path> input, Optional<Path> teacher, Path output, Path work) {
        private Path source() {
            return input.orElseThrow(() -> new IllegalStateException("a stage without input"));
        }
    }

    StageDetails run(Work work, Places places) throws IOException {
        long start = System.nanoTime();
        StageDetails details = switch (work) {
            case Pretrain pretrain -> pretrain(pretrain, places);
            case Prune prune -> prune(prune, places);
            case Distill distill -> distill(distill, places);
            case Quantize quantize -> quantize(quantize, places);
            case Export export -> export(export, places);
        };
        return details.took((System.nanoTime() - start) / 1e9);
    }

    private StageDetails pretrain(Pretrain pretrain, Places places) throws IOException {
        Tokenizer tokenizer;
        try (Stream<String> documents = corpora.source(corpora.train()).documents()) {
            tokenizer = BpeTrainer.train(documents, pretrain.vocabularySize(), progress);
        }
        ModelConfig config = WorkOptions.config(pretrain, tokenizer.vocabularySize(), tokenizer.beginToken());
        return train(
                new Student.Random(config, Optional.of(tokenizer)),
                Optional.empty(),
                LossWeights.PRETRAIN,
                pretrain.training(),
                config,
                tokenizer,
                places);
    }

    private StageDetails distill(Distill distill, Places places) throws IOException {
        Path teacher = places.teacher.orElseThrow(() -> new IllegalStateException("a distillation without teacher"));
        // A new student starts from its teacher's layers, so its stage has no input.
        Path start = distill.student().isPresent() ? teacher : places.source();
        try (Checkpoint master = Checkpoint.open(teacher);
                Checkpoint input = Checkpoint.open(start)) {
            Student student = distill.student()
                    .<Student>map(sizes -> new Student.LayersOf(teacher, WorkOptions.config(sizes, master.config())))
                    .orElse(new Student.Existing(start));
            Distill.Loss loss = distill.loss();
            return train(
                    student,
                    Optional.of(teacher),
                    new LossWeights(loss.kl(), loss.ce(), loss.hidden(), distill.temperature()),
                    distill.training(),
                    input.config(),
                    input.requireTokenizer(),
                    places);
        }
    }

    private StageDetails train(
            Student student,
            Optional<Path> teacher,
            LossWeights loss,
            TrainingSettings settings,
            ModelConfig config,
            Tokenizer tokenizer,
            Places places)
            throws IOException {
        DataEntry train = corpora.train();
        int steps = Math.toIntExact(settings.steps(train.length()));
        TrainingOptions options = new TrainingOptions(
                loss,
                settings.learningRate(),
                (int) Math.round(settings.warmup() * steps),
                steps,
                settings.batch(),
                settings.accumulation(),
                settings.clip(),
                settings.weightDecay(),
                seed,
                settings.checkpointEvery(),
                settings.validateEvery(),
                settings.format());
        Optional<TokenWindows> validation =
                corpora.validation().map(entry -> corpora.windows(entry, config, tokenizer));
        TrainingReport report = Training.run(
                new TrainingJob(
                        student,
                        teacher,
                        corpora.windows(train, config, tokenizer),
                        validation,
                        options,
                        places.output,
                        places.work),
                progress);
        List<String> notes = new ArrayList<>();
        notes.add("%,d steps, %,d tokens, %,.0f tokens/s".formatted(steps, report.tokens(), report.tokensPerSecond()));
        if (report.resumedFrom() > 0) {
            notes.add("resumed after step %,d".formatted(report.resumedFrom()));
        }
        return new StageDetails(curve(report), List.of(), List.of(), notes, 0);
    }

    private static List<CurvePoint> curve(TrainingReport report) {
        Map<Integer, Double> validation = new TreeMap<>();
        report.validation().forEach(point -> validation.put(point.step(), point.loss()));
        List<CurvePoint> curve = new ArrayList<>();
        if (validation.containsKey(0)) {
            curve.add(new CurvePoint(0, 0, null, validation.get(0)));
        }
        report.steps()
                .forEach(point -> curve.add(new CurvePoint(
                        point.step(), point.tokens(), point.loss().total(), validation.get(point.step()))));
        return curve;
    }

    private StageDetails prune(Prune prune, Places places) throws IOException {
        try (Checkpoint source = Checkpoint.open(places.source())) {
            Optional<TokenWindows> calibration = prune.importance() == Prune.Importance.ACTIVATION
                    ? Optional.of(calibration(source))
                    : Optional.empty();
            PruneReport report = Pruning.run(source, WorkOptions.of(prune), calibration, places.output, progress);
            return StageDetails.notes(List.of("%,d of %,d parameters kept (%.1f %%)"
                    .formatted(
                            report.after().parameters(), report.before().parameters(), 100 * report.parameterShare())));
        }
    }

    private StageDetails quantize(Quantize quantize, Places places) throws IOException {
        try (Checkpoint source = Checkpoint.open(places.source())) {
            Optional<TokenWindows> calibration =
                    quantize.calibrates() ? Optional.of(calibration(source)) : Optional.empty();
            OptionalLong limit = WorkOptions.limit(quantize, source.config());
            Optional<BudgetPlan> budget = limit.isPresent()
                    ? Optional.of(Budget.plan(
                            source,
                            limit.getAsLong(),
                            quantize.method() == Quantize.Method.GPTQ,
                            probes(calibration.orElseThrow()),
                            progress))
                    : Optional.empty();
            Mix mix = budget.map(
                            plan -> plan.mix(source.config(), quantize.mix().id()))
                    .orElse(quantize.mix());
            QuantizationJob job = QuantizationJob.of(source, WorkOptions.of(quantize, mix), calibration, places.output)
                    .withWork(places.work);
            if (quantize.importance().isPresent()) {
                job = job.withImportance(
                        ImportanceMatrix.read(quantize.importance().get()));
            }
            QuantizationReport report = Quantization.run(job, progress);
            List<String> notes = new ArrayList<>(report.fallbacks());
            budget.ifPresent(plan -> notes.add("%,d of %,d bytes used, a KL divergence of %.3g expected of the formats"
                    .formatted(plan.bytes(), plan.limit(), plan.loss())));
            report.coverage().ifPresent(coverage -> notes.add(coverage + templated()));
            report.resumption().ifPresent(notes::add);
            List<TensorError> errors = report.tensors().stream()
                    .map(tensor -> new TensorError(
                            tensor.name(), tensor.format(), tensor.outputError().orElse(null), tensor.weightError()))
                    .toList();
            List<Share> shares = budget.map(BudgetPlan::shares).orElse(List.of()).stream()
                    .map(share -> new Share(
                            share.name(),
                            share.format(),
                            share.parameters(),
                            share.bytes(),
                            share.loss(),
                            share.losses()))
                    .toList();
            return new StageDetails(List.of(), errors, shares, notes, 0);
        }
    }

    /** Whether the calibration's texts are conversations in the model's own template. */
    private String templated() {
        boolean messages = corpora.calibration().source() instanceof DataEntry.Source.Conversations;
        return messages ? "; conversations in the model's chat template" : "; plain text, no chat template";
    }

    /** Enough of the calibration to tell tensors apart. */
    private static TokenWindows probes(TokenWindows calibration) {
        int windows = Math.clamp(Math.ceilDiv(PROBED_TOKENS, calibration.length()), 1, calibration.count());
        return calibration.take(0, windows);
    }

    private TokenWindows calibration(Checkpoint source) {
        return corpora.windows(corpora.calibration(), source.config(), source.requireTokenizer());
    }

    private OnnxOptions onnxOptions(Export export, Checkpoint source) {
        OnnxOptions options = OnnxOptions.DEFAULT;
        if (export.weights().isPresent()) {
            options = options.withDequantized();
        }
        if (!export.calibrates()) {
            return options;
        }
        RangeChoice ranges = switch (export.ranges()) {
            case MINMAX -> RangeChoice.MINMAX;
            case PERCENTILE -> RangeChoice.PERCENTILE;
            case ENTROPY -> RangeChoice.ENTROPY;
        };
        return options.withInputs(InputCalibration.run(source, calibration(source), ranges, progress));
    }

    private StageDetails export(Export export, Places places) throws IOException {
        try (Checkpoint source = Checkpoint.open(places.source())) {
            ExportReport report = switch (export.target()) {
                case GGUF ->
                    GgufExport.write(
                            source, new GgufOptions(export.weights(), Optional.empty()), places.output, progress);
                case ONNX -> OnnxExport.write(source, onnxOptions(export, source), places.output, progress);
                case GPTQ, AWQ, COMPRESSED_TENSORS, BITSANDBYTES ->
                    HuggingFaceExport.write(source, export.target().layout().orElseThrow(), places.output, progress);
            };
            List<String> notes = new ArrayList<>(report.notes());
            report.changes()
                    .forEach(change -> notes.add("%s: %s instead of %s, %s"
                            .formatted(change.tensor(), change.to(), change.from(), change.reason())));
            return StageDetails.notes(notes);
        }
    }
}
