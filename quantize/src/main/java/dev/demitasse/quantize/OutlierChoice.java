package dev.demitasse.quantize;

import dev.demitasse.model.InvalidRequestException;

/**
 * Which columns of projections stay in float16 beside the rounded ones.
 *
 * @param share of each projection's columns, rounded up
 * @param by what chooses them
 */
public record OutlierChoice(double share, By by) {
    /** What chooses columns; those of projections that read the same input are the same. */
    public enum By {
        /** The size of their activations, as LLM.int8() does. */
        MAGNITUDE,
        /** What rounding them costs at the output, as OWQ does. */
        ERROR
    }

    public OutlierChoice {
        if (!(share > 0 && share <= 0.5)) {
            throw new InvalidRequestException(
                    "quantize.outliers", "is " + share, "choose a share above 0 and up to 0.5; 0.01 is much");
        }
    }
}
