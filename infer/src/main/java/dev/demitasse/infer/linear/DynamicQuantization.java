package dev.demitasse.infer.linear;

import dev.demitasse.infer.parallel.Workers;

/**
 * ONNX's DynamicQuantizeLinear (onnx.ai, operator of that name, opset 11) of a whole {@code [tokens, width]} tensor:
 * 8-bit unsigned codes over the range of the values widened to hold 0;
 * scale = (max − min) / 255, zero point = saturate(round(−min / scale)), code = saturate(round(x / scale) + zero point),
 * rounding half to even.
 *
 * @param centred code − zero point, −255 … 255, as floats: every product with an 8-bit weight is then an exact float
 * @param scale x ≈ scale · centred
 * @param zeroPoint the code of 0
 */
record DynamicQuantization(LinearInput centred, float scale, int zeroPoint) {
    private static final int LARGEST = 255;

    static DynamicQuantization of(float[] values, int tokens, int width) {
        int count = Math.multiplyExact(tokens, width);
        float smallest = 0;
        float largest = 0;
        for (int i = 0; i < count; i++) {
            smallest = Math.min(smallest, values[i]);
            largest = Math.max(largest, values[i]);
        }
        float scale = (largest - smallest) / LARGEST;
        if (scale == 0) {
            // All zeros: ONNX Runtime takes 1 so as not to divide by 0.
            scale = 1;
        }
        int zeroPoint = (int) Math.clamp(Math.rint(-smallest / scale), 0, LARGEST);
        float[] centred = new float[count];
        for (int i = 0; i < count; i++) {
            centred[i] = Math.clamp((int) Math.rint(values[i] / scale) + zeroPoint, 0, LARGEST) - zeroPoint;
        }
        return new DynamicQuantization(new LinearInput(centred, tokens, width), scale, zeroPoint);
    }

    /** The panels of {@link #centred}. */
    float[] panels(Workers workers) {
        return centred.panels(workers);
    }
}
