package dev.demitasse.quantize;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.quantize.mix.Mix;
import dev.demitasse.quantize.mix.TensorPlan;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * How a checkpoint is quantized.
 *
 * @param method how codes are found
 * @param mix which tensor gets which format
 * @param damping share of the mean diagonal that GPTQ adds to the second moment's; with a float target and fewer than 64
 *     calibration tokens for each column it is raised, up to 0.3
 * @param actOrder whether GPTQ visits blocks of columns by descending mean activation
 * @param floatTarget α: how far GPTQ aims at what the module gives in the float model instead of what its own weights give
 *     on the quantized model's activations; 0 not at all, 1 wholly
 * @param refinements rounds of coordinate descent on scales and codes after GPTQ
 * @param smoothing α of SmoothQuant, searched for each input if empty: 0 leaves all spread in the activations, 1 moves all
 *     of it into the weights. The paper's 0.5 is for OPT; its authors use 0.8 to 0.85 for Llama, which here too halved the
 *     divergence; searched it was never worse
 * @param transform of each layer before its weights are rounded; methods SMOOTHQUANT and AWQ imply their own
 * @param outliers columns of projections that stay in float16
 * @param clip whether method AWQ bounds the weights of blocks whose scale is their range
 * @param steps of SignRound's descent
 */
public record QuantizeOptions(
        Method method,
        Mix mix,
        double damping,
        boolean actOrder,
        double floatTarget,
        int refinements,
        OptionalDouble smoothing,
        Transform transform,
        Optional<OutlierChoice> outliers,
        boolean clip,
        int steps) {

    /** How codes are found. */
    public enum Method {
        /** Each weight to the nearest number; no calibration needed. */
        RTN,
        /** Each weight to the nearest number, scales chosen by how much each input carries, as an importance matrix does. */
        IMPORTANCE,
        /** Column by column, each error made up for by the columns still to come. */
        GPTQ,
        /** Spread of activations moved into weights first, then each weight to the nearest number. */
        SMOOTHQUANT,
        /** Columns that carry much made larger first, then each weight to the nearest number as IMPORTANCE does. */
        AWQ,
        /** Each rounding and each step learned by signed gradient descent on the output's error. */
        SIGNROUND
    }

    public QuantizeOptions {
        TensorFormat base = mix.base();
        require(
                base instanceof BlockFormat || base.rowScaled(),
                "quantize.format",
                "is " + base.id(),
                "choose " + String.join(", ", Mix.all().keySet()));
        require(
                method != Method.SMOOTHQUANT || base == ScalarFormat.I8,
                "quantize.format",
                "is %s, SmoothQuant makes int8".formatted(mix.id()),
                "choose int8, or method gptq");
        require(damping >= 0 && damping <= 10, "quantize.damping", "is " + damping, "choose 0 to 10; 0.05 is usual");
        require(floatTarget >= 0 && floatTarget <= 1, "quantize.float_target", "is " + floatTarget, "choose 0 to 1");
        require(refinements >= 0, "quantize.refinements", "is " + refinements, "choose 0 or more; 2 is usual");
        require(steps >= 1, "quantize.steps", "is " + steps, "choose 1 or more; 200 is usual");
        double alpha = smoothing.orElse(0);
        require(alpha >= 0 && alpha <= 1, "quantize.alpha", "is " + alpha, "choose 0 to 1, or auto");
        transform = switch (method) {
            case SMOOTHQUANT -> Transform.SMOOTHQUANT;
            case AWQ -> Transform.AWQ;
            case RTN, IMPORTANCE, GPTQ, SIGNROUND -> transform;
        };
        mix.embedding().ifPresent(chosen -> requireTable("quantize.embedding", chosen));
        mix.head().ifPresent(chosen -> requireTable("quantize.head", chosen));
        mix.exceptions().values().forEach(chosen -> requireTable("quantize.tensors", chosen));
    }

    /** The defaults for a method and a mix: what measured best on small Llama models. */
    public static QuantizeOptions of(Method method, Mix mix) {
        return new QuantizeOptions(
                method, mix, 0.05, true, 0.75, 2, OptionalDouble.empty(), Transform.NONE, Optional.empty(), true, 200);
    }

    /** All projections in one format. */
    public static QuantizeOptions of(Method method, TensorFormat format) {
        return of(method, Mix.of(format));
    }

    /** Whether the rounding of one weight answers for that of others. */
    boolean compensates() {
        return switch (method) {
            case GPTQ, SIGNROUND -> true;
            case RTN, IMPORTANCE, SMOOTHQUANT, AWQ -> false;
        };
    }

    /** What most projections get. */
    public TensorFormat format() {
        return mix.base();
    }

    /** Which tensor of a model gets which format. */
    public TensorPlan plan(ModelConfig config) {
        boolean calibrated = switch (method) {
            case RTN, SMOOTHQUANT -> false;
            case IMPORTANCE, GPTQ, AWQ, SIGNROUND -> true;
        };
        TensorPlan plan = mix.plan(config, calibrated);
        return outliers.map(choice -> plan.withOutliers(choice.share())).orElse(plan);
    }

    /**
     * The format a recipe names: {@code q4_0}, {@code q8_0}, {@code int8}, or for embeddings {@code f16}, {@code f32} too.
     */
    public static Optional<TensorFormat> format(String id) {
        return TensorFormat.all().stream()
                .filter(format ->
                        format.weightName().equalsIgnoreCase(id) || format.id().equalsIgnoreCase(id))
                .findFirst();
    }

    public QuantizeOptions withMix(Mix chosen) {
        return new QuantizeOptions(
                method,
                chosen,
                damping,
                actOrder,
                floatTarget,
                refinements,
                smoothing,
                transform,
                outliers,
                clip,
                steps);
    }

    public QuantizeOptions withEmbedding(TensorFormat chosen) {
        return withMix(mix.withEmbedding(chosen));
    }

    public QuantizeOptions withHead(TensorFormat chosen) {
        return withMix(mix.withHead(chosen));
    }

    public QuantizeOptions withDamping(double share) {
        return new QuantizeOptions(
                method, mix, share, actOrder, floatTarget, refinements, smoothing, transform, outliers, clip, steps);
    }

    public QuantizeOptions withActOrder(boolean chosen) {
        return new QuantizeOptions(
                method, mix, damping, chosen, floatTarget, refinements, smoothing, transform, outliers, clip, steps);
    }

    public QuantizeOptions withFloatTarget(double alpha) {
        return new QuantizeOptions(
                method, mix, damping, actOrder, alpha, refinements, smoothing, transform, outliers, clip, steps);
    }

    public QuantizeOptions withRefinements(int rounds) {
        return new QuantizeOptions(
                method, mix, damping, actOrder, floatTarget, rounds, smoothing, transform, outliers, clip, steps);
    }

    public QuantizeOptions withSmoothing(OptionalDouble alpha) {
        return new QuantizeOptions(
                method, mix, damping, actOrder, floatTarget, refinements, alpha, transform, outliers, clip, steps);
    }

    public QuantizeOptions withTransform(Transform chosen) {
        return new QuantizeOptions(
                method, mix, damping, actOrder, floatTarget, refinements, smoothing, chosen, outliers, clip, steps);
    }

    public QuantizeOptions withOutliers(OutlierChoice chosen) {
        return new QuantizeOptions(
                method,
                mix,
                damping,
                actOrder,
                floatTarget,
                refinements,
                smoothing,
                transform,
                Optional.of(chosen),
                clip,
                steps);
    }

    public QuantizeOptions withClip(boolean chosen) {
        return new QuantizeOptions(
                method,
                mix,
                damping,
                actOrder,
                floatTarget,
                refinements,
                smoothing,
                transform,
                outliers,
                chosen,
                steps);
    }

    public QuantizeOptions withSteps(int count) {
        return new QuantizeOptions(
                method, mix, damping, actOrder, floatTarget, refinements, smoothing, transform, outliers, clip, count);
    }

    private static void requireTable(String option, TensorFormat chosen) {
        boolean known = chosen instanceof BlockFormat
                || chosen instanceof ScalarFormat scalar && (scalar.floating() || scalar.rowScaled());
        require(
                known && chosen != ScalarFormat.F64,
                option,
                "is " + chosen.id(),
                "choose f32, f16, bf16 or a format of blocks");
    }

    private static void require(boolean holds, String option, String problem, String advice) {
        if (!holds) {
            throw new InvalidRequestException(option, problem, advice);
        }
    }
}
