package dev.demitasse.model.onnx;

/**
 * Names in the decoder graphs that Demitasse exports. Inputs and outputs are called as Hugging Face's optimum calls
 * them, so that programs made for its exports run ours:
 *
 * <pre>
 * input_ids               int64 [batch, sequence]
 * attention_mask          int64 [batch, past + sequence]     1 for a token, 0 for padding
 * position_ids            int64 [batch, sequence]
 * past_key_values.N.key   float [batch, kv_heads, past, head]  past may be 0
 * past_key_values.N.value float [batch, kv_heads, past, head]
 * → logits                float [batch, sequence, vocabulary]
 * → present.N.key         float [batch, kv_heads, past + sequence, head]
 * → present.N.value       float [batch, kv_heads, past + sequence, head]
 * → hidden_states.N       float [batch, sequence, hidden]    on request; N from 0 (embeddings) to the layers' number
 * </pre>
 *
 * <p>Layers may differ in {@code kv_heads} and {@code head}. Padding stands on the left, if anywhere, and position ids
 * count the tokens after it. Where rotary frequencies depend on a sequence's length, that is its highest position id plus
 * one, and cached keys stay as they are: past LongRoPE's original length a caller runs the sequence from its start.
 */
public final class OnnxNames {
    public static final String INPUT_IDS = "input_ids";
    public static final String ATTENTION_MASK = "attention_mask";
    public static final String POSITION_IDS = "position_ids";
    public static final String LOGITS = "logits";

    /** Producer of the files, and the prefix of their metadata. */
    public static final String PRODUCER = "demitasse";

    /** Metadata: the text of config.json. */
    public static final String CONFIG = "demitasse.config";

    /**
     * Metadata: how initializers are laid out, {@link #LAYOUT_VERSION}: each weight has the name that
     * {@link dev.demitasse.model.ModelConfig#name} gives, that in a Hugging Face checkpoint where it stands alone there,
     * and the values of such a checkpoint; projections, routers and an untied head are {@code [in, out]}, tables of
     * embeddings {@code [rows, columns]}; an INT8 weight has a {@code weight_scale [out]} beside it, and its inputs
     * are rounded token by token unless an {@code input_scale} stands beside it too; one of {@link #BLOCKS} stands as
     * {@link OnnxBlocks} tells, its rows those of {@code [out, in]}.
     */
    public static final String LAYOUT = "demitasse.layout";

    public static final String LAYOUT_VERSION = "2";

    /** Metadata: which weights are of a block format, a line {@code NAME FORMAT} for each. */
    public static final String BLOCKS = "demitasse.blocks";

    private OnnxNames() {}

    /** The scales of the blocks of {@code weight}. */
    public static String blockScales(String weight) {
        return weight + "_scale";
    }

    /** The zeros of the blocks of {@code weight}. */
    public static String blockZeros(String weight) {
        return weight + "_zero_point";
    }

    public static String pastKey(int layer) {
        return "past_key_values." + layer + ".key";
    }

    public static String pastValue(int layer) {
        return "past_key_values." + layer + ".value";
    }

    public static String presentKey(int layer) {
        return "present." + layer + ".key";
    }

    public static String presentValue(int layer) {
        return "present." + layer + ".value";
    }

    public static String hiddenState(int index) {
        return "hidden_states." + index;
    }
}
