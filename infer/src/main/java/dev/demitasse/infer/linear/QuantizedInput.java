package dev.demitasse.infer.linear;

import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.InputQuantization;

/**
 * A whole {@code [tokens, width]} tensor rounded to unsigned 8 bits: by the range of its own values, as ONNX's
 * DynamicQuantizeLinear (onnx.ai, operator of that name, opset 11), or by a fixed scale and zero point, as QuantizeLinear.
 *
 * @param centred code − zero point, −255 … 255, as floats: every product with an 8-bit weight is then an exact float
 * @param quantization x ≈ scale · centred
 */
record QuantizedInput(LinearInput centred, InputQuantization quantization) {

    /** By the range of the values. */
    static QuantizedInput dynamic(float[] values, int tokens, int width) {
        int count = Math.multiplyExact(tokens, width);
        float smallest = 0;
        float largest = 0;
        for (int i = 0; i < count; i++) {
            smallest = Math.min(smallest, values[i]);
            largest = Math.max(largest, values[i]);
        }
        return fixed(values, tokens, width, InputQuantization.over(smallest, largest));
    }

    static QuantizedInput fixed(float[] values, int tokens, int width, InputQuantization quantization) {
        int count = Math.multiplyExact(tokens, width);
        float[] centred = new float[count];
        for (int i = 0; i < count; i++) {
            centred[i] = quantization.code(values[i]) - quantization.zeroPoint();
        }
        return new QuantizedInput(new LinearInput(centred, tokens, width), quantization);
    }

    float scale() {
        return quantization.scale();
    }

    /** The panels of {@link #centred}. */
    float[] panels(Workers workers) {
        return centred.panels(workers);
    }
}
