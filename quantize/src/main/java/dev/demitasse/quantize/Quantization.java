package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.weights.WeightSource;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.safetensors.CheckpointWriter;
import dev.demitasse.quantize.QuantizationReport.TensorReport;
import dev.demitasse.quantize.QuantizeOptions.Method;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Quantizes a checkpoint, layer by layer, into a checkpoint whose tensors are packed as they will ship. */
public final class Quantization {
    private final Checkpoint source;
    private final ModelConfig config;
    private final QuantizeOptions options;
    private final FormatPlan plan;
    private final List<TensorReport> reports = new ArrayList<>();

    private Quantization(Checkpoint source, QuantizeOptions options) {
        this.source = source;
        this.config = source.config();
        this.options = options;
        this.plan = new FormatPlan(config, options);
    }

    /**
     * Writes {@code source}, quantized, to the folder {@code output}. The same input gives the same bytes.
     *
     * @param calibration text as the model will meet it. Round-to-nearest does without; given, it serves to measure
     *     output errors
     * @throws InvalidRequestException if the method needs calibration and there is none, or if the source is quantized
     *     already
     */
    public static QuantizationReport run(
            Checkpoint source,
            QuantizeOptions options,
            Optional<TokenWindows> calibration,
            Path output,
            Progress progress)
            throws IOException {
        return new Quantization(source, options).run(calibration, output, progress);
    }

    /** With calibration. */
    public static QuantizationReport run(
            Checkpoint source, QuantizeOptions options, TokenWindows calibration, Path output, Progress progress)
            throws IOException {
        return run(source, options, Optional.of(calibration), output, progress);
    }

    private QuantizationReport run(Optional<TokenWindows> calibration, Path output, Progress progress)
            throws IOException {
        long start = System.nanoTime();
        checkSource();
        progress.begin("quantizing to " + options.format().id(), config.layers(), "layers");
        try (CheckpointWriter writer = CheckpointWriter.create(output, config, source.tokenizer(), plan::of)) {
            ReplacedWeights quantized = new ReplacedWeights(WeightSource.of(source));
            for (TensorKey key : config.tensors()) {
                if (!key.role().perLayer()) {
                    writeOutside(key, quantized, writer);
                }
            }
            LayerQuantizer layers = layers(quantized, calibration);
            for (int layer = 0; layer < config.layers(); layer++) {
                QuantizedLayer finished = layers.quantize(layer);
                write(layer, finished, writer);
                progress.advance(1);
                progress.note(
                        "error %.2e".formatted(finished.reports().getLast().weightError()));
            }
            writer.commit();
        }
        progress.end();
        return new QuantizationReport(
                options.method().name().toLowerCase(Locale.ROOT),
                options.format().weightName(),
                calibration.map(TokenWindows::tokens).orElse(0L),
                inModelOrder(),
                plan.fallbacks(),
                (System.nanoTime() - start) / 1e9);
    }

    /** Embedding and head are written before the layers, as the layers' calibration begins with them. */
    private List<TensorReport> inModelOrder() {
        List<String> names = config.tensors().stream().map(config.names()::name).toList();
        return reports.stream()
                .sorted(Comparator.comparingInt(report -> names.indexOf(report.name())))
                .toList();
    }

    private void checkSource() {
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

    private LayerQuantizer layers(WeightSource embedding, Optional<TokenWindows> calibration) {
        WeightSource weights = WeightSource.of(source);
        if (calibration.isEmpty()) {
            if (options.method() != Method.RTN) {
                throw new InvalidRequestException(
                        "quantize.method",
                        options.method().name().toLowerCase(Locale.ROOT) + " needs calibration text",
                        "name one under data.calibration, or choose method rtn");
            }
            return new NearestLayers(config, weights, plan);
        }
        return switch (options.method()) {
            case RTN, IMPORTANCE, GPTQ -> new GptqLayers(config, weights, embedding, plan, options, calibration.get());
            case SMOOTHQUANT -> new SmoothQuantLayers(config, weights, plan, options.smoothing(), calibration.get());
        };
    }

    /** Embedding, head and final norm. */
    private void writeOutside(TensorKey key, ReplacedWeights quantized, CheckpointWriter writer) throws IOException {
        Tensor original = source.tensor(key);
        if (!LayerOutcome.quantizes(key)) {
            writer.write(key, original);
            return;
        }
        LayerOutcome outcome = new LayerOutcome(config, WeightSource.of(source));
        long start = System.nanoTime();
        outcome.put(key, RoundedTensor.nearest(original, plan.of(key)), Optional.empty(), start);
        QuantizedLayer finished = outcome.finish();
        quantized.putAll(finished.tensors());
        writeAll(finished, writer);
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
