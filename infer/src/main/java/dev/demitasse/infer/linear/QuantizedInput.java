package dev.demitasse.infer.linear;

import dev.demitasse.infer.parallel.Workers;
import dev.demitasse.model.InputQuantization;

/**
 * {@code [tokens, width]} rounded to unsigned 8 bits. By their own range: each token's values are divided by the largest
 * magnitude among them, and what results is rounded over the whole tensor, as ONNX's DynamicQuantizeLinear (onnx.ai, operator of
 * that name, opset 11). A token that draws huge activations, as a first one does in many models, so costs the others none of
 * their 8 bits. Or by a fixed scale and zero point, as QuantizeLinear.
 *
 * @param centred code − zero point, −255 … 255, as floats: every product with an 8-bit weight is then an exact float
 * @param quantization x ≈ scale · centred, times the token's magnitude
 * @param magnitudes what each token's values were divided by; none where the scale is fixed
 */
@SuppressWarnings("ArrayRecordComponent") // handed over, not compared
record QuantizedInput(LinearInput centred, InputQuantization quantization, float[] magnitudes) {
    /** What a token of zeros is divided by. */
    private static final float SMALLEST = 1e-30f;

    /** By the range of the values. */
    static QuantizedInput dynamic(float[] values, int tokens, int width) {
        float[] divided = new float[Math.multiplyExact(tokens, width)];
        float[] magnitudes = new float[tokens];
        float least = 0;
        float greatest = 0;
        for (int token = 0; token < tokens; token++) {
            int from = token * width;
            float magnitude = SMALLEST;
            for (int i = from; i < from + width; i++) {
                magnitude = Math.max(magnitude, Math.abs(values[i]));
            }
            magnitudes[token] = magnitude;
            for (int i = from; i < from + width; i++) {
                divided[i] = values[i] / magnitude;
                least = Math.min(least, divided[i]);
                greatest = Math.max(greatest, divided[i]);
            }
        }
        InputQuantization range = InputQuantization.over(least, greatest);
        return new QuantizedInput(centred(divided, tokens, width, range), range, magnitudes);
    }

    static QuantizedInput fixed(float[] values, int tokens, int width, InputQuantization quantization) {
        return new QuantizedInput(centred(values, tokens, width, quantization), quantization, new float[0]);
    }

    private static LinearInput centred(float[] values, int tokens, int width, InputQuantization quantization) {
        float[] centred = new float[Math.multiplyExact(tokens, width)];
        for (int i = 0; i < centred.length; i++) {
            centred[i] = quantization.code(values[i]) - quantization.zeroPoint();
        }
        return new LinearInput(centred, tokens, width);
    }

    /** What an integer sum over weights of {@code weightScale} stands for. */
    float product(int sum, float weightScale, int token) {
        float product = sum * (quantization.scale() * weightScale);
        return magnitudes.length == 0 ? product : product * magnitudes[token];
    }

    /** The panels of {@link #centred}. */
    float[] panels(Workers workers) {
        return centred.panels(workers);
    }
}
