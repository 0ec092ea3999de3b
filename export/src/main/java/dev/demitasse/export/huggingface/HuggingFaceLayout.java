package dev.demitasse.export.huggingface;

/** Whose layout a folder is in. */
public enum HuggingFaceLayout {
    /** AutoGPTQ's and GPTQModel's: groups of integers, scales and zeros apart. */
    GPTQ,
    /** AutoAWQ's "gemm": the same, outputs interleaved. */
    AWQ,
    /** vLLM's own: groups of integers for float16 activations, or INT8 or FP8 with activations likewise. */
    COMPRESSED_TENSORS,
    /** NF4, as bitsandbytes saves it. */
    BITSANDBYTES
}
