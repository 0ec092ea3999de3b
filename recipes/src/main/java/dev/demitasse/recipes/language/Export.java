package dev.demitasse.recipes.language;

import dev.demitasse.export.huggingface.HuggingFaceLayout;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.gguf.GgmlType;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Writes a checkpoint as one file, or as a folder in the layout of another quantizer, that other programs run.
 *
 * @param target what kind of file
 * @param weights GGUF: what float matrices are stored in; empty as they are. Those in a block format stay in it. ONNX: float32
 *     for block formats that are not to stay as they are
 * @param activations ONNX: by what the inputs of INT8 weights are rounded
 * @param ranges ONNX: what of the calibration text's activations static ones reach
 * @param file its name in the run's artifacts folder; empty for the stage's id with the kind's ending
 */
public record Export(
        Target target, Optional<TensorFormat> weights, Activations activations, Ranges ranges, Optional<String> file)
        implements Work {
    /** Kinds of files, and of folders. */
    public enum Target {
        GGUF,
        ONNX,
        GPTQ,
        AWQ,
        COMPRESSED_TENSORS,
        BITSANDBYTES;

        /** Of a folder; a file has none. */
        public Optional<HuggingFaceLayout> layout() {
            return switch (this) {
                case GGUF, ONNX -> Optional.empty();
                case GPTQ -> Optional.of(HuggingFaceLayout.GPTQ);
                case AWQ -> Optional.of(HuggingFaceLayout.AWQ);
                case COMPRESSED_TENSORS -> Optional.of(HuggingFaceLayout.COMPRESSED_TENSORS);
                case BITSANDBYTES -> Optional.of(HuggingFaceLayout.BITSANDBYTES);
            };
        }
    }

    /** By what the inputs of INT8 weights are rounded. */
    public enum Activations {
        /** The range of each input as it comes. */
        DYNAMIC,
        /** Ranges fixed by data.calibration. */
        STATIC
    }

    /** How far fixed ranges reach. */
    public enum Ranges {
        MINMAX,
        PERCENTILE,
        ENTROPY
    }

    private static final Key<Target> FORMAT = Key.required(
            "format",
            Kind.choice(Target.class, "a file format"),
            "what kind of file; `gptq`, `awq`, `compressed_tensors` and `bitsandbytes`: a folder in that layout, as"
                    + " transformers and vLLM load it, of weights quantized to a format that it holds (docs/formats.md)");
    private static final Key<TensorFormat> WEIGHTS = Key.optional(
            "weights",
            Kind.choice(formats(), "a format"),
            "GGUF: format of matrices that are still float; without it they stay as they are. Quantized ones always do."
                    + " ONNX: `f32` writes block formats as floats, those too that no operator multiplies by (k-quants,"
                    + " `q4_1`, `iq4_nl`, `nf4` …)");
    private static final Key<Activations> ACTIVATIONS = Key.of(
            "activations",
            Kind.choice(Activations.class, "a way to round activations"),
            "dynamic",
            "ONNX with `int8` weights: `dynamic` rounds activations by the range of each input, `static` by ranges fixed on"
                    + " data.calibration (QuantizeLinear, DequantizeLinear)");
    private static final Key<Ranges> RANGES = Key.of(
            "ranges",
            Kind.choice(Ranges.class, "a choice of ranges"),
            "minmax",
            "static activations: to the least and greatest value seen; to where 99.99 % of the values are within; to where"
                    + " rounding keeps most of their distribution");
    private static final Key<String> FILE = Key.optional(
            "file",
            Kind.TEXT,
            "the file's name in `artifacts/`; without it the stage's id and `.gguf` or `.onnx`, of a folder the id alone");

    static final Section SECTION = new Section(
            "export",
            "Writes a file, or a folder, that other programs run.",
            FORMAT,
            WEIGHTS,
            ACTIVATIONS,
            RANGES,
            FILE);

    /** What float matrices may be stored in, by name. */
    public static Map<String, TensorFormat> formats() {
        Map<String, TensorFormat> formats = new TreeMap<>();
        for (TensorFormat format : TensorFormat.all()) {
            if (format instanceof BlockFormat && GgmlType.of(format).isPresent()
                    || format == ScalarFormat.F32
                    || format == ScalarFormat.F16
                    || format == ScalarFormat.BF16) {
                formats.put(format.id(), format);
            }
        }
        return formats;
    }

    static Export read(Fields fields) {
        Target target = fields.get(FORMAT);
        Optional<TensorFormat> weights = fields.find(WEIGHTS);
        if (target == Target.ONNX && weights.isPresent() && weights.get() != ScalarFormat.F32) {
            fields.wrong(WEIGHTS, "can only be f32 in an onnx file, which otherwise holds what the checkpoint holds");
        }
        if (target.layout().isPresent() && weights.isPresent()) {
            fields.wrong(WEIGHTS, "is for gguf and onnx; a folder has weights as they were quantized");
        }
        Activations activations = fields.get(ACTIVATIONS);
        Ranges ranges = fields.get(RANGES);
        if (target != Target.ONNX && activations != Activations.DYNAMIC) {
            fields.wrong(ACTIVATIONS, "is for onnx");
        }
        if (activations != Activations.STATIC && ranges != Ranges.MINMAX) {
            fields.wrong(RANGES, "is for static activations");
        }
        Optional<String> file = fields.find(FILE);
        if (file.isPresent() && !file.get().endsWith(ending(target))) {
            fields.wrong(FILE, "must end in %s, is '%s'".formatted(ending(target), file.get()));
        } else if (file.isPresent() && !file.get().matches("[A-Za-z0-9_][A-Za-z0-9_.-]*")) {
            fields.wrong(FILE, "must be a plain file name, is '%s'".formatted(file.get()));
        }
        return new Export(target, weights, activations, ranges, file);
    }

    /** Whether it runs the model on data.calibration. */
    public boolean calibrates() {
        return activations == Activations.STATIC;
    }

    private static String ending(Target target) {
        return target.layout().isPresent() ? "" : "." + Kind.word(target);
    }

    /** The name of the file, or folder, that stage {@code id} writes. */
    public String fileName(String id) {
        return file.orElse(id + ending(target));
    }

    @Override
    public String name() {
        return "export";
    }
}
