package dev.demitasse.export.gguf;

import dev.demitasse.model.format.TensorFormat;
import java.util.Optional;

/**
 * How to write a GGUF file.
 *
 * @param format what matrices are stored as; tensors quantized into a block format already keep theirs, since rounding
 *     again would undo what was chosen for them. Empty: every tensor as the checkpoint has it
 * @param name {@code general.name}; empty: the checkpoint's file name
 */
public record GgufOptions(Optional<TensorFormat> format, Optional<String> name) {
    /** Every matrix as the checkpoint stores it. */
    public static GgufOptions asStored() {
        return new GgufOptions(Optional.empty(), Optional.empty());
    }

    public static GgufOptions of(TensorFormat format) {
        return new GgufOptions(Optional.of(format), Optional.empty());
    }

    public GgufOptions withName(String other) {
        return new GgufOptions(format, Optional.of(other));
    }
}
