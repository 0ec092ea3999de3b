package dev.demitasse.infer;

/** Which tokens of a forward pass logits are wanted of. */
public enum Logits {
    /** Every token. */
    ALL,
    /** The last one. */
    LAST
}
