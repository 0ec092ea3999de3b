package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.safetensors.CheckpointWriter;
import dev.demitasse.quantize.QuantizationReport.TensorReport;
import dev.demitasse.quantize.QuantizeOptions.Method;
import dev.demitasse.quantize.Resumption.Found;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.grid.RoundToNearest;
import dev.demitasse.quantize.matrix.Matrix;
import dev.demitasse.quantize.mix.TensorPlan;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;

/** Quantizes a checkpoint, layer by layer, into a checkpoint whose tensors are packed as they will ship. */
public final class Quantization {
    private final QuantizationJob job;
    private final Checkpoint source;
    private final ModelConfig config;
    private final QuantizeOptions options;
    private final TensorPlan plan;
    private final List<TensorReport> reports = new ArrayList<>();

    private Quantization(QuantizationJob job) {
        this.job = job;
        this.source = job.source();
        this.config = source.config();
        this.options = job.options();
        this.plan = options.plan(config);
    }

    /**
     * Writes a checkpoint, quantized. The same job gives the same bytes, also where it goes on with what an earlier process
     * left in the work folder.
     *
     * @throws InvalidRequestException if the method needs calibration and there is none, if the source is quantized already,
     *     or if the disk cannot hold the hidden states
     */
    public static QuantizationReport run(QuantizationJob job, Progress progress) throws IOException {
        return new Quantization(job).run(progress);
    }

    /** A job that keeps nothing to go on with. */
    public static QuantizationReport run(
            Checkpoint source,
            QuantizeOptions options,
            Optional<TokenWindows> calibration,
            Path output,
            Progress progress)
            throws IOException {
        return run(QuantizationJob.of(source, options, calibration, output), progress);
    }

    /** With calibration. */
    public static QuantizationReport run(
            Checkpoint source, QuantizeOptions options, TokenWindows calibration, Path output, Progress progress)
            throws IOException {
        return run(source, options, Optional.of(calibration), output, progress);
    }

    private QuantizationReport run(Progress progress) throws IOException {
        long start = System.nanoTime();
        checkSource();
        progress.begin("quantizing to " + options.mix().id(), config.layers(), "layers", LayerProgress.PARTS);
        Optional<Resumption> resumption = Optional.empty();
        if (job.work().isPresent()) {
            resumption = Optional.of(new Resumption(job.work().get(), JobFingerprint.of(job)));
        }
        Optional<String> note;
        try (CheckpointWriter writer = writer(resumption)) {
            note = write(writer, resumption, progress);
            writer.commit();
        }
        if (resumption.isPresent()) {
            resumption.get().delete();
        }
        progress.end();
        return new QuantizationReport(
                options.method().name().toLowerCase(Locale.ROOT),
                options.mix().id(),
                job.calibration().map(TokenWindows::tokens).orElse(0L),
                inModelOrder(),
                plan.fallbacks(),
                note,
                (System.nanoTime() - start) / 1e9);
    }

    private CheckpointWriter writer(Optional<Resumption> resumption) throws IOException {
        return resumption.isPresent()
                ? CheckpointWriter.resume(
                        job.output(), resumption.get().weights(), config, source.tokenizer(), plan::of, plan::outliers)
                : CheckpointWriter.create(job.output(), config, source.tokenizer(), plan::of, plan::outliers);
    }

    /** Writes all tensors; returns what became of an earlier run's work. */
    private Optional<String> write(CheckpointWriter writer, Optional<Resumption> resumption, Progress progress)
            throws IOException {
        ReplacedWeights quantized = new ReplacedWeights(WeightSource.of(source));
        StateStore store = new StateStore(job.stateBytes(), job.work().orElse(job.output()));
        Found found = resumption.isPresent() ? resumption.get().find(writer.weights()) : Found.NOTHING;
        int done = found.layers();
        reports.addAll(found.reports());
        progress.advance((long) done * LayerProgress.PARTS);
        if (done == 0) {
            progress.note("embedding and head");
            writeOutside(outside(quantized, store), writer);
        }
        try (LayerQuantizer layers = layers(quantized, store)) {
            if (done > 0 && resumption.isPresent()) {
                resumption.get().restore(done, layers.states());
            }
            LayerProgress inside = new LayerProgress(progress);
            for (int layer = done; layer < config.layers(); layer++) {
                config.layerTensors(layer).forEach(this::requireFinite);
                QuantizedLayer finished = layers.quantize(layer, inside);
                write(layer, finished, writer);
                if (resumption.isPresent()) {
                    resumption.get().keep(layer + 1, writer.weights(), layers.states(), reports);
                }
                MappedWeights.release(config, WeightSource.of(source), layer);
                inside.finish();
                progress.note(
                        "error %.2e".formatted(finished.reports().getLast().weightError()));
            }
            return found.note();
        }
    }

    /** Embedding and head are written before the layers, as the layers' calibration begins with them. */
    private List<TensorReport> inModelOrder() {
        List<String> names = config.tensors().stream().map(config.names()::name).toList();
        return reports.stream()
                .sorted(Comparator.comparingInt(report -> names.indexOf(report.name())))
                .toList();
    }

    private void checkSource() {
        boolean known = job.importance().isPresent() && options.method() == Method.IMPORTANCE;
        boolean calibrates = options.method() != Method.RTN && !known
                || options.transform() != Transform.NONE
                || options.outliers().isPresent();
        if (job.calibration().isEmpty() && calibrates) {
            throw new InvalidRequestException(
                    "quantize.method",
                    options.method().name().toLowerCase(Locale.ROOT) + " needs calibration text",
                    "name one under data.calibration, or choose method rtn");
        }
        for (TensorKey key : config.tensors()) {
            TensorFormat format = source.format(key);
            if (format instanceof BlockFormat || format.rowScaled()) {
                throw new InvalidRequestException(
                        source.path(),
                        "is quantized already: %s is %s".formatted(config.name(key), format.id()),
                        "start from the float checkpoint it was made of");
            }
        }
    }

    private LayerQuantizer layers(WeightSource embedding, StateStore store) throws IOException {
        WeightSource weights = WeightSource.of(source);
        Optional<TokenWindows> calibration = job.calibration();
        if (calibration.isEmpty()) {
            return new NearestLayers(config, weights, plan, Optional.empty(), job.importance());
        }
        Optional<TransformedLayers> transform =
                TransformedLayers.of(config, weights, plan, options, calibration.get(), store);
        boolean looks =
                options.method() != Method.SMOOTHQUANT || options.outliers().isPresent();
        return looks
                ? new GptqLayers(config, weights, embedding, plan, options, calibration.get(), transform, store)
                : new NearestLayers(config, weights, plan, transform, Optional.empty());
    }

    /** Embedding and head, rounded; they take the originals' place in {@code quantized}. */
    private List<QuantizedLayer> outside(ReplacedWeights quantized, StateStore store) throws IOException {
        List<QuantizedLayer> rounded = new ArrayList<>();
        Optional<double[]> importance = headImportance(store);
        for (TensorKey key : config.tensors()) {
            if (key.role().perLayer()) {
                continue;
            }
            requireFinite(key);
            if (TensorPlan.quantizes(key)) {
                LayerOutcome outcome = new LayerOutcome(config, WeightSource.of(source));
                long start = System.nanoTime();
                outcome.put(key, rounded(key, importance.filter(columns -> foretells(key))), start);
                rounded.add(outcome.finish());
                quantized.putAll(rounded.getLast().tensors());
                MappedWeights.release(WeightSource.of(source), key);
            }
        }
        return rounded;
    }

    /** Whether what a table's rows give are the predictions. */
    private boolean foretells(TensorKey key) {
        return key.role() == Role.HEAD || key.role() == Role.EMBEDDING && config.tiedHead();
    }

    /** How much each column of the head carries, for methods that go by what inputs carry. */
    private Optional<double[]> headImportance(StateStore store) throws IOException {
        boolean weighs = switch (options.method()) {
            case IMPORTANCE, GPTQ, AWQ, SIGNROUND -> true;
            case RTN, SMOOTHQUANT -> false;
        };
        return weighs && job.calibration().isPresent()
                ? HeadInput.importance(
                        config, WeightSource.of(source), job.calibration().get(), store)
                : Optional.empty();
    }

    private RoundedTensor rounded(TensorKey key, Optional<double[]> importance) {
        Tensor original = source.tensor(key);
        TensorFormat format = plan.of(key);
        Optional<Grid> grid = importance.flatMap(columns -> Grid.of(format, original.columns()));
        if (grid.isEmpty() || format.rowScaled()) {
            return RoundedTensor.nearest(original, format);
        }
        QuantizedMatrix matrix = RoundToNearest.quantize(Matrix.of(original), grid.get(), importance.orElseThrow());
        return RoundedTensor.of(matrix, original.name(), format, Optional.empty());
    }

    /** Refuses a tensor that holds what is no finite number, before anything is made of it. */
    private void requireFinite(TensorKey key) {
        Tensor tensor = source.tensor(key);
        int columns = tensor.columns();
        IntStream.range(0, tensor.rows()).parallel().forEach(row -> {
            float[] values = new float[columns];
            tensor.readRow(row, values, 0);
            for (int column = 0; column < columns; column++) {
                if (!Float.isFinite(values[column])) {
                    throw new MalformedModelException(
                            source.path(),
                            "tensor '%s' holds %s in row %,d, column %,d"
                                    .formatted(config.name(key), values[column], row, column),
                            "its training diverged or the file is damaged; take another checkpoint");
                }
            }
        });
    }

    /** Embedding, head and final norm. */
    private void writeOutside(List<QuantizedLayer> rounded, CheckpointWriter writer) throws IOException {
        for (QuantizedLayer tensors : rounded) {
            writeAll(tensors, writer);
        }
        for (TensorKey key : config.tensors()) {
            if (!key.role().perLayer() && !TensorPlan.quantizes(key)) {
                writer.write(key, source.tensor(key));
            }
        }
    }

    private void write(int layer, QuantizedLayer finished, CheckpointWriter writer) throws IOException {
        writeAll(finished, writer);
        for (TensorKey key : config.layerTensors(layer)) {
            if (!finished.tensors().containsKey(key)) {
                writer.write(key, source.tensor(key));
            }
        }
    }

    private void writeAll(QuantizedLayer finished, CheckpointWriter writer) throws IOException {
        for (var tensor : finished.tensors().entrySet()) {
            writer.write(tensor.getKey(), tensor.getValue());
        }
        reports.addAll(finished.reports());
    }
}
