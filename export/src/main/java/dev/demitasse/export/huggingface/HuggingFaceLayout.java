package dev.demitasse.export.huggingface;

import dev.demitasse.model.format.IntegerGroup;
import dev.demitasse.model.format.NF4;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.Locale;

/** Whose layout a folder is in. */
public enum HuggingFaceLayout {
    /** AutoGPTQ's and GPTQModel's: groups of integers, scales and zeros apart. */
    GPTQ("an int4 or int3 group format such as int4_g128"),
    /** AutoAWQ's "gemm": the same, outputs interleaved. */
    AWQ("an int4 group format such as int4_g128_asym"),
    /** vLLM's own: groups of integers for float16 activations, or INT8 or FP8 with activations likewise. */
    COMPRESSED_TENSORS("int8, fp8 or an int4 group format such as int4_g128"),
    /** NF4, as bitsandbytes saves it. */
    BITSANDBYTES("nf4");

    private final String formats;

    HuggingFaceLayout(String formats) {
        this.formats = formats;
    }

    /** As recipes call it. */
    public String id() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** What it holds, in words: {@code int8, fp8 or …}. */
    public String formats() {
        return formats;
    }

    /** Whether it has a place for weights of {@code format}. */
    public boolean holds(TensorFormat format) {
        return switch (this) {
            case GPTQ -> format instanceof IntegerGroup;
            case AWQ -> isInt4(format);
            case COMPRESSED_TENSORS -> format == ScalarFormat.I8 || format == ScalarFormat.F8_E4M3 || isInt4(format);
            case BITSANDBYTES -> format instanceof NF4;
        };
    }

    private static boolean isInt4(TensorFormat format) {
        return format instanceof IntegerGroup groups && groups.bits() == 4;
    }

    /** Outputs of a module that are packed together, and so how many it must have a multiple of. */
    int outputsTogether(TensorFormat format) {
        return switch (this) {
            case GPTQ -> Integer.SIZE;
            case AWQ -> Integer.SIZE / 4;
            case COMPRESSED_TENSORS ->
                format instanceof IntegerGroup groups && !groups.symmetric() ? Integer.SIZE / 4 : 1;
            case BITSANDBYTES -> 1;
        };
    }

    /** Whether it has modules whose files have {@code [in, out]}, as GPT-2's; its packed weights stand as all others'. */
    boolean hasTransposed() {
        return this == GPTQ;
    }
}
