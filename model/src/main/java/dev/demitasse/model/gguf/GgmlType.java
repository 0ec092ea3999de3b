package dev.demitasse.model.gguf;

import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The tensor types of ggml (ggml.h, {@code enum ggml_type}); those without a format can be named but not read. */
public enum GgmlType {
    F32(0, ScalarFormat.F32),
    F16(1, ScalarFormat.F16),
    Q4_0(2, new Q4_0()),
    Q4_1(3),
    Q5_0(6),
    Q5_1(7),
    Q8_0(8, new Q8_0()),
    Q8_1(9),
    Q2_K(10),
    Q3_K(11),
    Q4_K(12, new dev.demitasse.model.format.Q4_K()),
    Q5_K(13),
    Q6_K(14),
    Q8_K(15),
    IQ2_XXS(16),
    IQ2_XS(17),
    IQ3_XXS(18),
    IQ1_S(19),
    IQ4_NL(20),
    IQ3_S(21),
    IQ2_S(22),
    IQ4_XS(23),
    I8(24, ScalarFormat.I8),
    I16(25, ScalarFormat.I16),
    I32(26, ScalarFormat.I32),
    I64(27, ScalarFormat.I64),
    F64(28, ScalarFormat.F64),
    IQ1_M(29),
    BF16(30, ScalarFormat.BF16),
    TQ1_0(34),
    TQ2_0(35),
    MXFP4(39);

    private final int id;
    private final @Nullable TensorFormat format;

    GgmlType(int id) {
        this.id = id;
        this.format = null;
    }

    GgmlType(int id, TensorFormat format) {
        this.id = id;
        this.format = format;
    }

    /** The type a file means by {@code id}, if it is a known one. */
    public static Optional<GgmlType> of(int id) {
        return Arrays.stream(values()).filter(type -> type.id == id).findFirst();
    }

    /** The type that holds {@code format}, if ggml has one. */
    public static Optional<GgmlType> of(TensorFormat format) {
        return Arrays.stream(values())
                .filter(type -> format.equals(type.format))
                .findFirst();
    }

    /** The number that stands for it in files. */
    public int id() {
        return id;
    }

    /** How Demitasse reads it, if it does. */
    public Optional<TensorFormat> format() {
        return Optional.ofNullable(format);
    }
}
