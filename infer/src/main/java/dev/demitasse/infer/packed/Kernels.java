package dev.demitasse.infer.packed;

import java.util.Locale;

/** What multiplies block-quantized weights; all but {@link #EXACT} round their inputs to 8 bits, in blocks of 32. */
public enum Kernels {
    /** Float arithmetic on decoded weights and inputs as they are: slow, and what the weights are worth without further losses. */
    EXACT,

    /** The fastest that this machine runs: {@link #EMITTED}, or else {@link #VECTOR}. */
    AUTO,

    /** Machine code written for this CPU; where it has no AVX-512 VNNI, or the code does not pass its check, {@link #VECTOR}. */
    EMITTED,

    /** The Vector API: a few tokens with rounded inputs, many in float arithmetic. */
    VECTOR,

    /** Plain Java, for comparison. */
    SCALAR;

    /** As an option names it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
