package dev.demitasse.export.onnx;

import dev.demitasse.model.InputQuantization;
import dev.demitasse.model.TensorKey;
import java.util.Map;

/**
 * How to write an ONNX file.
 *
 * @param hiddenStates whether the graph also puts out the embeddings, the residual stream after each layer but the last,
 *     and the last layer's after the final norm
 * @param inlineLimit bytes of weights up to which they stand in the .onnx file itself; beyond, they go to a data file
 *     beside it, as protobuf ends at 2 GB
 * @param dequantized whether weights of block formats are written as float32
 * @param inputs how the inputs of INT8 weights are rounded, by {@link dev.demitasse.model.ModelConfig#input}; those of a weight
 *     not named by the range that they happen to have
 */
public record OnnxOptions(
        boolean hiddenStates, long inlineLimit, boolean dequantized, Map<TensorKey, InputQuantization> inputs) {
    /** Everything in one file up to 1.5 GB, logits only, weights as they are. */
    public static final OnnxOptions DEFAULT = new OnnxOptions(false, 1_500_000_000L, false, Map.of());

    /** No more than this fits a protobuf, its graph included. */
    private static final long MAXIMUM_INLINE = 2_000_000_000L;

    public OnnxOptions {
        inputs = Map.copyOf(inputs);
        if (inlineLimit < 0 || inlineLimit > MAXIMUM_INLINE) {
            throw new IllegalArgumentException("inline limit " + inlineLimit);
        }
    }

    public OnnxOptions withHiddenStates() {
        return new OnnxOptions(true, inlineLimit, dequantized, inputs);
    }

    public OnnxOptions withInlineLimit(long bytes) {
        return new OnnxOptions(hiddenStates, bytes, dequantized, inputs);
    }

    public OnnxOptions withDequantized() {
        return new OnnxOptions(hiddenStates, inlineLimit, true, inputs);
    }

    public OnnxOptions withInputs(Map<TensorKey, InputQuantization> fixed) {
        return new OnnxOptions(hiddenStates, inlineLimit, dequantized, fixed);
    }
}
