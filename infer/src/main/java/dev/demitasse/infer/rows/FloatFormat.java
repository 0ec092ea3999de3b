package dev.demitasse.infer.rows;

import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.Optional;

/** The formats that rows are multiplied in as they are. */
enum FloatFormat {
    F16(2),
    BF16(2),
    F32(4);

    private final int bytes;

    FloatFormat(int bytes) {
        this.bytes = bytes;
    }

    static Optional<FloatFormat> of(TensorFormat format) {
        if (format == ScalarFormat.F16) {
            return Optional.of(F16);
        }
        if (format == ScalarFormat.BF16) {
            return Optional.of(BF16);
        }
        return format == ScalarFormat.F32 ? Optional.of(F32) : Optional.empty();
    }

    /** Of an element. */
    int bytes() {
        return bytes;
    }
}
