package dev.demitasse.recipes.plan;

import dev.demitasse.export.huggingface.HuggingFaceLayout;
import dev.demitasse.export.huggingface.LayoutPlan;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Outliers;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.onnx.OnnxBlocks;
import dev.demitasse.quantize.mix.TensorPlan;
import dev.demitasse.recipes.language.Export;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * A model's tensors and what each is stored in: enough to say how large its file is, to the byte but for names and
 * metadata.
 *
 * @param formats of every weight and bias; where rows have scales, those are F32 beside it
 * @param outliers how many columns of each weight are kept in F16 beside it, of those of which some are
 */
record Layout(ModelConfig config, Map<TensorKey, TensorFormat> formats, Map<TensorKey, Integer> outliers) {
    Layout {
        formats = Map.copyOf(formats);
        outliers = Map.copyOf(outliers);
    }

    private Layout(ModelConfig config, Map<TensorKey, TensorFormat> formats) {
        this(config, formats, Map.of());
    }

    /** As a checkpoint is. */
    static Layout of(Checkpoint checkpoint) {
        Map<TensorKey, TensorFormat> formats = new LinkedHashMap<>();
        Map<TensorKey, Integer> outliers = new LinkedHashMap<>();
        for (TensorKey key : checkpoint.config().tensors()) {
            formats.put(key, checkpoint.format(key));
            Outliers.find(key, checkpoint::has, checkpoint::tensor)
                    .ifPresent(kept -> outliers.put(key, kept.columns().length));
        }
        return new Layout(checkpoint.config(), formats, outliers);
    }

    /** Everything in one format. */
    static Layout of(ModelConfig config, TensorFormat format) {
        Map<TensorKey, TensorFormat> formats = new LinkedHashMap<>();
        config.tensors().forEach(key -> formats.put(key, format));
        return new Layout(config, formats);
    }

    /** As pruning leaves it: each tensor keeps its format. */
    Layout pruned(ModelConfig smaller) {
        Map<TensorKey, TensorFormat> kept = new LinkedHashMap<>();
        smaller.tensors().forEach(key -> kept.put(key, format(key)));
        return new Layout(smaller, kept);
    }

    /** As {@link dev.demitasse.quantize} leaves it. */
    Layout quantized(TensorPlan plan) {
        Map<TensorKey, TensorFormat> chosen = new LinkedHashMap<>();
        config.tensors().forEach(key -> chosen.put(key, plan.of(key)));
        Map<TensorKey, Integer> outliers = new LinkedHashMap<>();
        config.tensors().stream()
                .filter(key -> plan.outliers(key) > 0)
                .forEach(key -> outliers.put(key, plan.outliers(key)));
        return new Layout(config, chosen, outliers);
    }

    /** As {@link dev.demitasse.export} writes it. */
    Layout exported(Export work) {
        if (!outliers.isEmpty()) {
            throw new InvalidRequestException(
                    "export.format",
                    "no exported file has a place for the columns that quantize.outliers keeps in float16",
                    "quantize without outliers for an export, or run the checkpoint as it is");
        }
        return switch (work.target()) {
            case GGUF -> mapped(format -> gguf(format, work.weights()));
            case ONNX -> {
                if (work.calibrates() && !formats.containsValue(ScalarFormat.I8)) {
                    throw new InvalidRequestException(
                            "export.activations",
                            "static is for int8 weights, but they are %s".formatted(formatName()),
                            "quantize to int8 first");
                }
                yield mapped(format -> onnx(format, work.weights().isPresent()));
            }
            case GPTQ, AWQ, COMPRESSED_TENSORS, BITSANDBYTES -> {
                LayoutPlan plan = packed(work.target().layout().orElseThrow());
                Map<TensorKey, TensorFormat> stored = new LinkedHashMap<>();
                config.tensors().forEach(key -> stored.put(key, plan.stored(key)));
                yield new Layout(config, stored);
            }
        };
    }

    /** As a folder in another quantizer's layout. */
    LayoutPlan packed(HuggingFaceLayout layout) {
        return LayoutPlan.of(layout, config, this::format);
    }

    private static TensorFormat onnx(TensorFormat stored, boolean floats) {
        boolean plain = stored instanceof ScalarFormat && !stored.rowScaled();
        if (plain || floats && stored != ScalarFormat.I8) {
            return ScalarFormat.F32;
        }
        if (stored != ScalarFormat.I8 && OnnxBlocks.of(stored).isEmpty()) {
            throw new InvalidRequestException(
                    "export.format",
                    "onnx has no operator that multiplies by %s".formatted(stored.weightName()),
                    "quantize to int8, q8_0, q4_0 or an int4 group format; embedding and head too (embedding: q8_0, head: q8_0, or pure: true); or add weights: f32");
        }
        return stored;
    }

    private static TensorFormat gguf(TensorFormat stored, Optional<TensorFormat> wanted) {
        return switch (stored) {
            case BlockFormat block -> block;
            case ScalarFormat scalar -> wanted.orElse(scalar);
        };
    }

    private Layout mapped(UnaryOperator<TensorFormat> change) {
        Map<TensorKey, TensorFormat> changed = new LinkedHashMap<>();
        for (TensorKey key : config.tensors()) {
            changed.put(key, matrix(key) ? fitting(key, change.apply(format(key))) : ScalarFormat.F32);
        }
        return new Layout(config, changed);
    }

    private TensorFormat fitting(TensorKey key, TensorFormat wanted) {
        return wanted.fits(config.columns(key)) ? wanted : ScalarFormat.F16;
    }

    private static boolean matrix(TensorKey key) {
        return key.role().quantized() && key.part() == Part.WEIGHT;
    }

    /** Of a layer past the last, and so of one in a model with more layers, the first layer's. */
    private TensorFormat format(TensorKey key) {
        TensorFormat format = formats.get(key);
        if (format == null) {
            format = formats.get(key.inLayer(0));
        }
        if (format == null) {
            throw new IllegalArgumentException("no format for " + key);
        }
        return format;
    }

    /** Bytes of all tensors. */
    long bytes() {
        long bytes = 0;
        for (TensorKey key : config.tensors()) {
            TensorFormat format = format(key);
            bytes = Math.addExact(bytes, format.bytes(Tensor.elements(config.shape(key))));
            if (format.rowScaled()) {
                bytes = Math.addExact(bytes, ScalarFormat.F32.bytes(config.rows(key)));
            }
            int kept = outliers.getOrDefault(key, 0);
            if (kept > 0) {
                bytes = Math.addExact(bytes, Outliers.bytes(kept, config.rows(key)));
            }
        }
        return bytes;
    }

    /** The format of most parameters of the layers' projections, by the name recipes have for it. */
    String formatName() {
        return format(config.exampleProjection()).weightName();
    }

    /** Whether all weights are floating-point numbers. */
    boolean isFloat() {
        return formats.values().stream().allMatch(format -> format instanceof ScalarFormat scalar && scalar.floating());
    }

    /** Parameters of the largest decoder layer. */
    long layerParameters() {
        return config.layerTensors(0).stream()
                .mapToLong(key -> Tensor.elements(config.shape(key)))
                .sum();
    }
}
