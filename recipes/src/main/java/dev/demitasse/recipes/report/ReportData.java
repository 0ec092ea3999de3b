package dev.demitasse.recipes.report;

import java.time.Duration;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * All that a report shows. A double that was not measured is NaN and appears as a dash; an empty list leaves its section
 * out.
 *
 * @param recipe the recipe's name
 * @param finished when the run ended
 * @param machine what it ran on
 * @param protocol how quality and speed were measured, a sentence each
 * @param models every evaluation, the original first
 * @param gates what was demanded of the models
 * @param parities how exactly each exported file computes what it was made from
 * @param lossCurves of each training stage
 * @param quantizations of each quantizing stage
 * @param samples what each model says to one prompt
 * @param stages what was done and how long it took, in order
 */
public record ReportData(
        String recipe,
        ZonedDateTime finished,
        Machine machine,
        List<String> protocol,
        List<Model> models,
        List<Gate> gates,
        List<Parity> parities,
        List<LossCurve> lossCurves,
        List<Quantization> quantizations,
        Optional<Samples> samples,
        List<Stage> stages) {

    public ReportData {
        protocol = List.copyOf(protocol);
        models = List.copyOf(models);
        gates = List.copyOf(gates);
        parities = List.copyOf(parities);
        lossCurves = List.copyOf(lossCurves);
        quantizations = List.copyOf(quantizations);
        stages = List.copyOf(stages);
    }

    /**
     * @param cpu as the system names it
     * @param cores that the run could use
     * @param java name and version of the JDK
     */
    public record Machine(String cpu, int cores, String java) {}

    /** What made a model. */
    public enum Kind {
        ORIGINAL,
        PRETRAINED,
        PRUNED,
        DISTILLED,
        QUANTIZED,
        EXPORTED
    }

    /**
     * One model as one runtime scored it; a model that two runtimes scored stands here twice.
     *
     * @param stage id of the stage that made it
     * @param label its name for people
     * @param kind what made it
     * @param made how, {@code gptq, q4_0}; empty where {@code kind} says it all
     * @param format of most weights, {@code bf16}, {@code q4_0}; with the file's kind if it is an export
     * @param parameters how many numbers it consists of
     * @param bytes of its weights on disk
     * @param file where it lies in the run's folder, if it is to be shipped
     * @param runtime which scored it, {@code built-in}, {@code ONNX Runtime}
     * @param quality what was measured on the test text
     * @param speed tokens per second
     */
    public record Model(
            String stage,
            String label,
            Kind kind,
            String made,
            String format,
            long parameters,
            long bytes,
            Optional<String> file,
            String runtime,
            Quality quality,
            Speed speed) {}

    /**
     * @param perplexity exp of the mean negative log likelihood
     * @param standardError of the perplexity
     * @param bitsPerByte of the test text
     * @param difference from the reference model
     */
    public record Quality(double perplexity, double standardError, double bitsPerByte, Difference difference) {
        /** Nothing was measured. */
        public static final Quality NONE = new Quality(Double.NaN, Double.NaN, Double.NaN, Difference.NONE);
    }

    /**
     * What sets a model apart from the reference model, token by token.
     *
     * @param perplexityRatio to the reference's
     * @param perplexityRatioError its standard error, token paired with token
     * @param meanKl Kullback-Leibler divergence from the reference model, nats per token
     * @param meanKlError its standard error
     * @param medianKl its median over tokens
     * @param p99Kl its 99th percentile
     * @param maximumKl its largest value
     * @param top1Agreement part of the tokens, 0 to 1, where both find the same token likeliest
     * @param rmsProbability root mean square of the change of the right token's probability, 0 to 1
     */
    public record Difference(
            double perplexityRatio,
            double perplexityRatioError,
            double meanKl,
            double meanKlError,
            double medianKl,
            double p99Kl,
            double maximumKl,
            double top1Agreement,
            double rmsProbability) {
        /** Nothing was measured. */
        public static final Difference NONE = ratio(Double.NaN);

        /** Nothing but the ratio of the perplexities is known. */
        public static Difference ratio(double perplexityRatio) {
            double none = Double.NaN;
            return new Difference(perplexityRatio, none, none, none, none, none, none, none, none);
        }
    }

    /**
     * @param prefill tokens of a prompt read per second
     * @param decode tokens written per second
     */
    public record Speed(double prefill, double decode) {
        /** Nothing was measured. */
        public static final Speed NONE = new Speed(Double.NaN, Double.NaN);
    }

    /**
     * @param stage whose model was judged
     * @param demand what was asked, {@code perplexity at most 1.10 times that of model}
     * @param measured what came
     * @param limit what was allowed
     * @param passed whether it held
     * @param detail what to look at if it did not: the layers that hurt most
     */
    public record Gate(
            String stage, String demand, double measured, double limit, boolean passed, Optional<String> detail) {}

    /**
     * @param artifact the exported file
     * @param source the stage whose model is in it
     * @param runtime which ran the file
     * @param maximumDifference largest difference of a logit
     * @param sourcePerplexity of the model it was made from
     * @param perplexity of the file
     */
    public record Parity(
            String artifact,
            String source,
            String runtime,
            double maximumDifference,
            double sourcePerplexity,
            double perplexity) {
        /** How much the file's perplexity is above the source's, as a part of it. */
        public double perplexityDifference() {
            return perplexity / sourcePerplexity - 1;
        }
    }

    /**
     * @param stage id of the training stage
     * @param train loss by step as it was trained on
     * @param validation loss by step on text held out
     */
    public record LossCurve(String stage, List<LossPoint> train, List<LossPoint> validation) {
        public LossCurve {
            train = List.copyOf(train);
            validation = List.copyOf(validation);
        }
    }

    /** The loss at a step, nats per token. */
    public record LossPoint(long step, double loss) {}

    /**
     * @param stage id of the quantizing stage
     * @param description method and format, {@code GPTQ, q4_0}
     * @param errors of each matrix
     * @param shares what went where, if formats were chosen under a limit of size
     */
    public record Quantization(String stage, String description, List<TensorError> errors, List<Share> shares) {
        public Quantization {
            errors = List.copyOf(errors);
            shares = List.copyOf(shares);
        }
    }

    /**
     * @param tensor or several that a file keeps together
     * @param format it got
     * @param bytes it takes
     * @param loss KL divergence it is expected to cost
     * @param alternatives that, of the formats next to it, a few words
     */
    public record Share(String tensor, String format, long bytes, double loss, String alternatives) {}

    /**
     * @param tensor its name in the checkpoint
     * @param outputError ‖WX − ŴX‖ / ‖WX‖ on calibration text
     */
    public record TensorError(String tensor, double outputError) {
        private static final Pattern LAYER = Pattern.compile("\\.(\\d{1,6})\\.");

        /** The decoder layer that the name speaks of: {@code model.layers.3.mlp.up_proj.weight}. */
        public OptionalInt layer() {
            Matcher matcher = LAYER.matcher(tensor);
            return matcher.find() ? OptionalInt.of(Integer.parseInt(matcher.group(1))) : OptionalInt.empty();
        }
    }

    /**
     * @param prompt what every model was given; empty where each began by itself
     * @param texts what each wrote after it
     */
    public record Samples(String prompt, List<Sample> texts) {
        public Samples {
            texts = List.copyOf(texts);
        }
    }

    /** What the model {@code label} wrote. */
    public record Sample(String label, String text) {}

    /**
     * @param id the stage
     * @param work what it did, {@code prune}, {@code distill}
     * @param elapsed how long it took when it was last done
     * @param reused whether this run found it done
     */
    public record Stage(String id, String work, Duration elapsed, boolean reused) {}
}
