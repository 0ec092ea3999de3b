package dev.demitasse.recipes.language;

import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.Q4_K;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.OutlierChoice;
import dev.demitasse.quantize.mix.Mix;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Rounds weights to few bits.
 *
 * @param method how the rounding is chosen
 * @param mix which tensor gets which format; with a limit, its name alone counts
 * @param limit to what size formats are chosen by what each tensor's rounding costs
 * @param damping added to the diagonal of GPTQ's Hessian, as a share of its mean
 * @param actOrder whether GPTQ takes the columns by the size of their activations
 * @param floatTarget how far GPTQ aims at the float model's outputs instead of its own weights' on quantized inputs
 * @param refinements rounds of coordinate descent after GPTQ
 * @param alpha how much of the activations' range SmoothQuant moves into the weights; empty to search it
 * @param transform of the float weights before they are rounded
 * @param importance a file that tells what inputs carry, instead of calibration text
 * @param outliers columns that stay in float16
 * @param clip whether AWQ bounds weights
 * @param steps of SignRound's descent
 */
public record Quantize(
        Method method,
        Mix mix,
        Optional<Limit> limit,
        double damping,
        boolean actOrder,
        double floatTarget,
        int refinements,
        OptionalDouble alpha,
        Transform transform,
        Optional<Path> importance,
        Optional<OutlierChoice> outliers,
        boolean clip,
        int steps)
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
        AWQ,
        /** Each rounding learned by signed gradient descent (arXiv:2309.05516). */
        SIGNROUND
    }

    /** What is done to a layer, its function unchanged, before it is rounded. */
    public enum Transform {
        NONE,
        SMOOTHQUANT,
        AWQ
    }

    /** How large the weights may be. */
    public sealed interface Limit {
        /** All together. */
        record Size(long bytes) implements Limit {}

        /** On average, of those that are rounded. */
        record Bits(double bits) implements Limit {}
    }

    private static final Key<Method> METHOD = Key.of(
            "method",
            Kind.choice(Method.class, "a method"),
            "rtn",
            "to nearest; to nearest with scales by how much each input carries; GPTQ; SmoothQuant (`int8` alone); AWQ; SignRound. All but the first use data.calibration");
    private static final Key<Mix> FORMAT = Key.optional(
            "format",
            Kind.choice(Mix.all(), "a format"),
            "what weights are stored in. GGUF's types by llama-quantize's names and rules: `q4_k_m` mixes, and `q4_0` too"
                    + " gives head and embedding another (docs/formats.md). The others are for ONNX and GPU runtimes");
    private static final Key<Long> SIZE = Key.optional(
            "size",
            Kind.bytes(),
            "instead of `format`: bytes that all matrices may take, `90MB`; each gets the GGUF type that costs least,"
                    + " measured on data.calibration");
    private static final Key<Double> BITS = Key.optional(
            "bits",
            Kind.within(1, 16),
            "instead of `format`: bits that a weight of the matrices may take on average, `4.5`");
    private static final Key<Boolean> PURE =
            Key.of("pure", Kind.FLAG, "false", "everything in the format's own type, head and embedding too");
    private static final Kind<TensorFormat> SINGLE_FORMAT =
            Kind.choice(tableFormats(), "a format").told("one type of `format`'s, or `f32`, `f16`, `bf16`");
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
            "auto",
            "SmoothQuant: how much of the activations' range moves into the weights; `auto` searches what serves each input best");
    private static final Key<Transform> TRANSFORM = Key.of(
            "transform",
            Kind.choice(Transform.class, "a transform"),
            "none",
            "what is done to the float weights first, their function unchanged; goes with every method");
    private static final Key<Path> IMATRIX = Key.optional(
            "imatrix",
            Kind.FILE,
            "importance: an importance matrix, by `demitasse imatrix` or llama-imatrix; without it data.calibration is read");
    private static final Key<Double> OUTLIERS = Key.optional(
            "outliers",
            Kind.within(0, 0.5),
            "share of each projection's columns that stay in float16 beside the rounded ones, as `0.01`; by data.calibration. The"
                    + " checkpoint runs here; GGUF, ONNX and other tools' layouts have no place for them");
    private static final Key<OutlierChoice.By> OUTLIERS_BY = Key.of(
            "outliers_by",
            Kind.choice(OutlierChoice.By.class, "a choice of columns"),
            "error",
            "which: those whose activations are largest (LLM.int8), or whose rounding costs most at the output (OWQ)");
    private static final Key<Boolean> CLIP = Key.of(
            "clip",
            Kind.FLAG,
            "true",
            "AWQ: whether the weights of a block are bounded by what serves its output best");
    private static final Key<Integer> STEPS =
            Key.of("steps", Kind.integer(1), "200", "SignRound: steps of the descent");
    private static final Key<TensorFormat> EMBEDDING =
            Key.optional("embedding", SINGLE_FORMAT, "format of the embedding; without it what `format` makes of it");
    private static final Key<TensorFormat> HEAD = Key.optional(
            "head", SINGLE_FORMAT, "format of a head that is not tied; without it what `format` makes of it");
    private static final Key<Map<String, TensorFormat>> TENSORS = Key.optional(
            "tensors",
            SINGLE_FORMAT.byName("a pattern of tensors' names"),
            "exceptions: `{\"*.down\": q6_k, \"layers.0.*\": q8_0}`; names are our own (`layers.3.down`) or those of files, the"
                    + " first pattern that fits counts");

    static final Section SECTION = new Section(
            "quantize",
            "Rounds weights to few bits.",
            METHOD,
            FORMAT,
            SIZE,
            BITS,
            DAMPING,
            ACT_ORDER,
            FLOAT_TARGET,
            REFINEMENTS,
            ALPHA,
            TRANSFORM,
            EMBEDDING,
            HEAD,
            PURE,
            TENSORS,
            OUTLIERS,
            OUTLIERS_BY,
            CLIP,
            STEPS,
            IMATRIX);

    private static Map<String, TensorFormat> tableFormats() {
        Map<String, TensorFormat> formats = new TreeMap<>();
        for (TensorFormat format : TensorFormat.all()) {
            boolean floats = format == ScalarFormat.F32 || format == ScalarFormat.F16 || format == ScalarFormat.BF16;
            if (floats || format instanceof BlockFormat || format.rowScaled()) {
                formats.put(format.weightName(), format);
            }
        }
        return formats;
    }

    static Quantize read(Fields fields) {
        Optional<Limit> limit = limit(fields);
        Mix mix = fields.find(FORMAT).orElseGet(() -> standIn(limit));
        if (fields.get(PURE)) {
            mix = mix.pure();
        }
        mix = fields.find(EMBEDDING).map(mix::withEmbedding).orElse(mix);
        mix = fields.find(HEAD).map(mix::withHead).orElse(mix);
        mix = mix.withExceptions(fields.find(TENSORS).orElse(Map.of()));
        Quantize quantize = new Quantize(
                fields.get(METHOD),
                mix,
                limit,
                fields.get(DAMPING),
                fields.get(ACT_ORDER),
                fields.get(FLOAT_TARGET),
                fields.get(REFINEMENTS),
                fields.get(ALPHA),
                fields.get(TRANSFORM),
                fields.find(IMATRIX),
                outliers(fields),
                fields.get(CLIP),
                fields.get(STEPS));
        if (fields.has(IMATRIX) && (quantize.method != Method.IMPORTANCE || quantize.transform != Transform.NONE)) {
            fields.wrong(
                    IMATRIX, "is for method importance, and without a transform; the others read data.calibration");
        }
        boolean smooth = quantize.method == Method.SMOOTHQUANT;
        if (smooth && fields.find(FORMAT).isPresent() && mix.base() != ScalarFormat.I8) {
            fields.wrong(FORMAT, "smoothquant is for int8; for block formats use gptq or rtn");
        }
        return quantize;
    }

    private static Optional<OutlierChoice> outliers(Fields fields) {
        OutlierChoice.By by = fields.get(OUTLIERS_BY);
        return fields.find(OUTLIERS).filter(share -> share > 0).map(share -> new OutlierChoice(share, by));
    }

    private static Optional<Limit> limit(Fields fields) {
        Optional<Long> size = fields.find(SIZE);
        Optional<Double> bits = fields.find(BITS);
        long given = Stream.of(FORMAT, SIZE, BITS).filter(fields::has).count();
        if (given != 1) {
            fields.wrong(
                    FORMAT,
                    given == 0
                            ? "is missing; or give size or bits"
                            : "goes without size and bits: give one of the three");
        }
        return size.<Limit>map(Limit.Size::new).or(() -> bits.map(Limit.Bits::new));
    }

    /** Of what is chosen later only the name is known. */
    private static Mix standIn(Optional<Limit> limit) {
        String name = limit.map(chosen -> switch (chosen) {
                    case Limit.Size size -> Numbers.plain(size.bytes() / 1e6) + " MB";
                    case Limit.Bits bits -> Numbers.plain(bits.bits()) + " bits";
                })
                .orElse("");
        return new Mix(name, new Q4_K(), Optional.empty(), Optional.empty(), Optional.empty(), Map.of());
    }

    /** Whether it looks at activations, or at predictions. */
    public boolean calibrates() {
        boolean known = method == Method.IMPORTANCE && importance.isPresent();
        return limit.isPresent()
                || method != Method.RTN && !known
                || transform != Transform.NONE
                || outliers.isPresent();
    }

    /** Method and mix, as in {@code gptq, q4_k_m}. */
    public String description() {
        return Kind.word(method) + ", " + mix.id();
    }

    @Override
    public String name() {
        return "quantize";
    }
}
