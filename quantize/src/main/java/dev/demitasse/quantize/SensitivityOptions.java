package dev.demitasse.quantize;

import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.List;

/**
 * What to find out of a model's sensitivity.
 *
 * @param formats to round to, in the order of the table's columns
 * @param grouping which tensors are rounded together
 * @param measure what their rounding is judged by
 */
public record SensitivityOptions(List<TensorFormat> formats, Grouping grouping, Measure measure) {
    /** Which tensors are rounded together, all others being left as they are. */
    public enum Grouping {
        /** Each by itself. */
        TENSOR,
        /** Those of a role in a layer: each by itself, but all experts of a layer together. */
        ROLE_AND_LAYER,
        /** All of a layer. */
        LAYER,
        /** Those of a role in all layers. */
        ROLE
    }

    /** What rounding is judged by. */
    public enum Measure {
        /** The divergence of the model's predictions: a run from the rounded layer on for each group and format. */
        KL,
        /** What the rounded matrices themselves put out: one run in all. */
        OUTPUT
    }

    public SensitivityOptions {
        formats = List.copyOf(formats);
        if (formats.isEmpty() || formats.stream().anyMatch(SensitivityOptions::holdsNoWeights)) {
            throw new IllegalArgumentException("formats " + formats);
        }
    }

    /** Whether nobody keeps weights in {@code format}. */
    public static boolean holdsNoWeights(TensorFormat format) {
        return format instanceof ScalarFormat scalar && !scalar.floating() && !scalar.rowScaled();
    }
}
