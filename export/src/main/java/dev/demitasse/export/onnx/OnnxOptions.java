package dev.demitasse.export.onnx;

/**
 * How to write an ONNX file.
 *
 * @param hiddenStates whether the graph also puts out the embeddings, the residual stream after each layer but the last,
 *     and the last layer's after the final norm
 * @param inlineLimit bytes of weights up to which they stand in the .onnx file itself; beyond, they go to a data file
 *     beside it, as protobuf ends at 2 GB
 */
public record OnnxOptions(boolean hiddenStates, long inlineLimit) {
    /** Everything in one file up to 1.5 GB, logits only. */
    public static final OnnxOptions DEFAULT = new OnnxOptions(false, 1_500_000_000L);

    /** No more than this fits a protobuf, its graph included. */
    private static final long MAXIMUM_INLINE = 2_000_000_000L;

    public OnnxOptions {
        if (inlineLimit < 0 || inlineLimit > MAXIMUM_INLINE) {
            throw new IllegalArgumentException("inline limit " + inlineLimit);
        }
    }

    public OnnxOptions withHiddenStates() {
        return new OnnxOptions(true, inlineLimit);
    }

    public OnnxOptions withInlineLimit(long bytes) {
        return new OnnxOptions(hiddenStates, bytes);
    }
}
