package dev.demitasse.model.packed;

import dev.demitasse.model.Tensor;
import java.util.Map;

/**
 * Weights from other tools' tensors, each read as its own code reads it, one number at a time: GPTQ as AutoGPTQ's
 * QuantLinear.forward without kernels, AWQ as AutoAWQ's dequantize_gemm, pack-quantized as compressed-tensors'
 * decompress_weight.
 */
public final class PlainDecoders {
    private PlainDecoders() {}

    public static float[] decode(GroupLayout layout, Map<String, Tensor> parts, int rows, int columns, int bits) {
        return switch (layout) {
            case GptqLayout gptq -> gptq(parts, rows, columns, bits, gptq.oneLess());
            case AwqLayout awq -> awq(parts, rows, columns);
            case PackQuantizedLayout packed -> packed(parts, rows, columns);
        };
    }

    private static float[] gptq(Map<String, Tensor> parts, int rows, int columns, int bits, boolean oneLess) {
        int[] weight = parts.get("qweight").toInts();
        int[] zeros = parts.get("qzeros").toInts();
        float[] scales = parts.get("scales").toFloats();
        int[] groupOf = parts.get("g_idx").toInts();
        int zeroWords = parts.get("qzeros").columns();
        float[] decoded = new float[rows * columns];
        for (int in = 0; in < columns; in++) {
            for (int out = 0; out < rows; out++) {
                int code = bits == 3 ? three(weight, out, rows, in) : weight[in / 8 * rows + out] >>> 4 * (in % 8) & 15;
                int group = groupOf[in];
                int zero = bits == 3
                        ? three(zeros, group * zeroWords, 1, out)
                        : zeros[group * zeroWords + out / 8] >>> 4 * (out % 8) & 15;
                zero += oneLess ? 1 : 0;
                decoded[out * columns + in] = scales[group * rows + out] * (code - zero);
            }
        }
        return decoded;
    }

    /** Number {@code index} of 32 in three integers: ten, one across, ten, one across, ten. */
    private static int three(int[] words, int at, int stride, int index) {
        int first = at + index / 32 * 3 * stride;
        int i = index % 32;
        int low = words[first];
        int middle = words[first + stride];
        int high = words[first + 2 * stride];
        if (i < 10) {
            return low >>> 3 * i & 7;
        } else if (i == 10) {
            return low >>> 30 & 3 | (middle & 1) << 2;
        } else if (i < 21) {
            return middle >>> 3 * (i - 11) + 1 & 7;
        } else if (i == 21) {
            return middle >>> 31 & 1 | (high & 3) << 1;
        }
        return high >>> 3 * (i - 22) + 2 & 7;
    }

    private static float[] awq(Map<String, Tensor> parts, int rows, int columns) {
        int[] reverse = {0, 4, 1, 5, 2, 6, 3, 7};
        int[] weight = parts.get("qweight").toInts();
        int[] zeros = parts.get("qzeros").toInts();
        float[] scales = parts.get("scales").toFloats();
        int size = columns / parts.get("scales").rows();
        int words = rows / 8;
        float[] decoded = new float[rows * columns];
        for (int in = 0; in < columns; in++) {
            for (int out = 0; out < rows; out++) {
                int shift = 4 * reverse[out % 8];
                int code = weight[in * words + out / 8] >>> shift & 15;
                int zero = zeros[in / size * words + out / 8] >>> shift & 15;
                decoded[out * columns + in] = (code - zero) * scales[in / size * rows + out];
            }
        }
        return decoded;
    }

    private static float[] packed(Map<String, Tensor> parts, int rows, int columns) {
        int[] weight = parts.get("weight_packed").toInts();
        float[] scales = parts.get("weight_scale").toFloats();
        int groups = parts.get("weight_scale").columns();
        int[] zeros = parts.containsKey("weight_zero_point")
                ? parts.get("weight_zero_point").toInts()
                : new int[0];
        float[] decoded = new float[rows * columns];
        for (int out = 0; out < rows; out++) {
            for (int in = 0; in < columns; in++) {
                int group = in / (columns / groups);
                int code = (weight[out * columns / 8 + in / 8] >>> 4 * (in % 8) & 15) - 8;
                int zero = zeros.length == 0 ? 0 : (zeros[out / 8 * groups + group] >>> 4 * (out % 8) & 15) - 8;
                decoded[out * columns + in] = (code - zero) * scales[out * groups + group];
            }
        }
        return decoded;
    }
}
