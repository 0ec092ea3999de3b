package dev.demitasse.model;

/**
 * How the inputs of a weight are rounded to unsigned 8 bits: code = saturate(round(x / scale) + zeroPoint), halves to even, as
 * ONNX's QuantizeLinear does, and x ≈ scale · (code − zeroPoint).
 *
 * @param scale above 0
 * @param zeroPoint the code of 0, from 0 to 255
 */
public record InputQuantization(float scale, int zeroPoint) {
    /** The largest code. */
    public static final int LARGEST = 255;

    public InputQuantization {
        if (!(scale > 0) || Float.isInfinite(scale) || zeroPoint < 0 || zeroPoint > LARGEST) {
            throw new IllegalArgumentException("scale %s, zero point %d".formatted(scale, zeroPoint));
        }
    }

    /** Codes spread evenly over {@code [least, greatest]}, widened to hold 0, which has a code of its own. */
    public static InputQuantization over(float least, float greatest) {
        float from = Math.min(0, least);
        float to = Math.max(0, greatest);
        float scale = (to - from) / LARGEST;
        if (scale == 0) {
            // All zeros: any scale does, and ONNX Runtime takes 1.
            scale = 1;
        }
        return new InputQuantization(scale, (int) Math.clamp(Math.rint(-from / scale), 0, LARGEST));
    }

    /** The code of {@code value}, 0 … 255. */
    public int code(float value) {
        return Math.clamp((int) Math.rint(value / scale) + zeroPoint, 0, LARGEST);
    }
}
