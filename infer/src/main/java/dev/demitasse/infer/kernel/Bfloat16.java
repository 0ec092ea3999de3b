package dev.demitasse.infer.kernel;

/** Floats with a sign, 8 bits of exponent and 7 of fraction. */
public final class Bfloat16 {
    private Bfloat16() {}

    /** The nearest one, ties to even, of a finite value. */
    public static float round(float value) {
        int bits = Float.floatToRawIntBits(value);
        return Float.intBitsToFloat(bits + 0x7fff + (bits >>> 16 & 1) & 0xffff0000);
    }
}
