package dev.demitasse.recipes.run;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a stage tells about itself, kept beside its result for the report.
 *
 * @param curve a training's losses
 * @param errors a quantization's errors, tensor by tensor
 * @param shares what went where under a limit of size
 * @param notes what a reader should know, a sentence each
 * @param seconds it took, an interrupted run's not counted
 */
public record StageDetails(
        List<CurvePoint> curve, List<TensorError> errors, List<Share> shares, List<String> notes, double seconds) {
    /**
     * @param step optimizer steps done
     * @param tokens learned from until then
     * @param loss of the training windows, null where only validation was looked at
     * @param validation cross-entropy of the validation windows, null between two looks
     */
    public record CurvePoint(
            int step,
            long tokens,
            @Nullable Double loss,
            @Nullable Double validation) {}

    /**
     * @param tensor its name
     * @param format it was rounded to
     * @param outputError |X(W − Q)ᵀ|² / |XWᵀ|² on the calibration text, null without one
     * @param weightError |W − Q|² / |W|²
     */
    public record TensorError(
            String tensor, String format, @Nullable Double outputError, double weightError) {}

    /**
     * @param tensor or several that a file keeps together
     * @param format it got
     * @param parameters in it
     * @param bytes it takes
     * @param loss KL divergence it is expected to cost
     * @param losses that, for each format it could have had
     */
    public record Share(
            String tensor, String format, long parameters, long bytes, double loss, Map<String, Double> losses) {}

    public StageDetails {
        curve = List.copyOf(curve);
        errors = List.copyOf(errors);
        shares = List.copyOf(shares);
        notes = List.copyOf(notes);
    }

    static StageDetails notes(List<String> notes) {
        return new StageDetails(List.of(), List.of(), List.of(), notes, 0);
    }

    StageDetails took(double time) {
        return new StageDetails(curve, errors, shares, notes, time);
    }
}
