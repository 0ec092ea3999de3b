package dev.demitasse.quantize;

/** What is done to a layer, its function unchanged, before its weights are rounded. */
public enum Transform {
    NONE,
    /** Spread of the activations moved into the weights: {@link dev.demitasse.quantize.transform.SmoothQuant}. */
    SMOOTHQUANT,
    /** Columns that carry much made larger, so that rounding costs them less: {@link dev.demitasse.quantize.transform.Awq}. */
    AWQ
}
