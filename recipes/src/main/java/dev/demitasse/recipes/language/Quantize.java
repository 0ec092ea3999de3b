package dev.demitasse.recipes.language;

import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.TreeMap;

/**
 * Rounds weights to few bits.
 *
 * @param method how the rounding is chosen
 * @param format a block format, or {@link ScalarFormat#I8} for INT8 with a scale per output row
 * @param damping added to the diagonal of GPTQ's Hessian, as a share of its mean
 * @param actOrder whether GPTQ takes the columns by the size of their activations
 * @param floatTarget how far GPTQ aims at the float model's outputs instead of its own weights' on quantized inputs
 * @param refinements rounds of coordinate descent after GPTQ
 * @param alpha how much of the activations' range SmoothQuant moves into the weights; empty to search it
 * @param transform of the float weights before they are rounded
 * @param embedding format of the embedding; empty for 8 bits where it is the head too, else {@code format}
 * @param head format of a head that is not tied; empty for 8 bits
 */
public record Quantize(
        Method method,
        TensorFormat format,
        double damping,
        boolean actOrder,
        double floatTarget,
        int refinements,
        OptionalDouble alpha,
        Transform transform,
        Optional<TensorFormat> embedding,
        Optional<TensorFormat> head)
        implements Work {

    /** How the rounding is chosen. */
    public enum Method {
        /** To nearest. */
        RTN,
        /** To nearest, scales chosen by how much each input carries. */
        IMPORTANCE,
        /** Column by column, later columns absorbing the error (arXiv:2210.17323). */
        GPTQ,
        /** To nearest, after activations' outliers moved into the weights (arXiv:2211.10438). */
        SMOOTHQUANT,
        /** To nearest, after columns that carry much were made larger (arXiv:2306.00978). */
        AWQ
    }

    /** What is done to a layer, its function unchanged, before it is rounded. */
    public enum Transform {
        NONE,
        SMOOTHQUANT,
        AWQ
    }

    private static final Key<Method> METHOD = Key.of(
            "method",
            Kind.choice(Method.class, "a method"),
            "rtn",
            "to nearest; to nearest with scales by how much each input carries; GPTQ; SmoothQuant (`int8` alone); AWQ. All but the first use data.calibration");
    private static final Key<TensorFormat> FORMAT = Key.required(
            "format",
            Kind.choice(formats(), "a format"),
            "what the projections are stored in; `int8` goes to ONNX, the others to GGUF");
    private static final Key<Double> DAMPING = Key.of(
            "damping", Kind.within(0, 10), "0.05", "GPTQ: added to the Hessian's diagonal, as a share of its mean");
    private static final Key<Boolean> ACT_ORDER =
            Key.of("act_order", Kind.FLAG, "true", "GPTQ: columns by the size of their activations");
    private static final Key<Double> FLOAT_TARGET = Key.of(
            "float_target",
            Kind.within(0, 1),
            "0.75",
            "GPTQ: how far it aims at the float model's outputs; 0 aims at its own weights' on the quantized model's inputs");
    private static final Key<Integer> REFINEMENTS = Key.of(
            "refinements", Kind.integer(0), "2", "GPTQ: rounds of coordinate descent on scales and codes after it");
    private static final Key<OptionalDouble> ALPHA = Key.of(
            "alpha",
            Kind.automatic(Kind.within(0, 1)),
            "0.8",
            "SmoothQuant: how much of the activations' range moves into the weights; `auto` searches it for each input");
    private static final Key<Transform> TRANSFORM = Key.of(
            "transform",
            Kind.choice(Transform.class, "a transform"),
            "none",
            "what is done to the float weights first, their function unchanged; goes with every method");
    private static final Key<TensorFormat> EMBEDDING = Key.optional(
            "embedding",
            Kind.choice(tableFormats(), "a format"),
            "format of the embedding; without it 8 bits where it is the head too, else `format`");
    private static final Key<TensorFormat> HEAD = Key.optional(
            "head", Kind.choice(tableFormats(), "a format"), "format of a head that is not tied; without it 8 bits");

    static final Section SECTION = new Section(
            "quantize",
            "Rounds weights to few bits.",
            METHOD,
            FORMAT,
            DAMPING,
            ACT_ORDER,
            FLOAT_TARGET,
            REFINEMENTS,
            ALPHA,
            TRANSFORM,
            EMBEDDING,
            HEAD);

    private static Map<String, TensorFormat> formats() {
        Map<String, TensorFormat> formats = new TreeMap<>();
        TensorFormat.all().stream()
                .filter(format -> format instanceof BlockFormat || format.rowScaled())
                .forEach(format -> formats.put(format.weightName(), format));
        return formats;
    }

    private static Map<String, TensorFormat> tableFormats() {
        Map<String, TensorFormat> formats = formats();
        for (ScalarFormat format : new ScalarFormat[] {ScalarFormat.F32, ScalarFormat.F16, ScalarFormat.BF16}) {
            formats.put(format.id(), format);
        }
        return formats;
    }

    static Quantize read(Fields fields) {
        Quantize quantize = new Quantize(
                fields.get(METHOD),
                fields.get(FORMAT),
                fields.get(DAMPING),
                fields.get(ACT_ORDER),
                fields.get(FLOAT_TARGET),
                fields.get(REFINEMENTS),
                fields.get(ALPHA),
                fields.get(TRANSFORM),
                fields.find(EMBEDDING),
                fields.find(HEAD));
        boolean smooth = quantize.method == Method.SMOOTHQUANT;
        if (smooth && fields.find(FORMAT).isPresent() && quantize.format != ScalarFormat.I8) {
            fields.wrong(FORMAT, "smoothquant is for int8; for block formats use gptq or rtn");
        }
        return quantize;
    }

    /** Whether it looks at activations. */
    public boolean calibrates() {
        return method != Method.RTN || transform != Transform.NONE;
    }

    @Override
    public String name() {
        return "quantize";
    }
}
