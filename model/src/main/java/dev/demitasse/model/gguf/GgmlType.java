package dev.demitasse.model.gguf;

import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.IQ4_NL;
import dev.demitasse.model.format.IQ4_XS;
import dev.demitasse.model.format.MXFP4;
import dev.demitasse.model.format.Q2_K;
import dev.demitasse.model.format.Q3_K;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q4_1;
import dev.demitasse.model.format.Q4_K;
import dev.demitasse.model.format.Q5_0;
import dev.demitasse.model.format.Q5_1;
import dev.demitasse.model.format.Q5_K;
import dev.demitasse.model.format.Q6_K;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TQ1_0;
import dev.demitasse.model.format.TQ2_0;
import dev.demitasse.model.format.TensorFormat;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The tensor types of ggml (ggml.h, {@code enum ggml_type}); those without a format can be named but not read. */
public enum GgmlType {
    F32(0, ScalarFormat.F32),
    F16(1, ScalarFormat.F16),
    Q4_0(2, new Q4_0()),
    Q4_1(3, new Q4_1()),
    Q5_0(6, new Q5_0()),
    Q5_1(7, new Q5_1()),
    Q8_0(8, new Q8_0()),
    Q8_1(9),
    Q2_K(10, new Q2_K()),
    Q3_K(11, new Q3_K()),
    Q4_K(12, new Q4_K()),
    Q5_K(13, new Q5_K()),
    Q6_K(14, new Q6_K()),
    Q8_K(15),
    IQ2_XXS(16),
    IQ2_XS(17),
    IQ3_XXS(18),
    IQ1_S(19),
    IQ4_NL(20, new IQ4_NL()),
    IQ3_S(21),
    IQ2_S(22),
    IQ4_XS(23, new IQ4_XS()),
    I8(24, ScalarFormat.I8),
    I16(25, ScalarFormat.I16),
    I32(26, ScalarFormat.I32),
    I64(27, ScalarFormat.I64),
    F64(28, ScalarFormat.F64),
    IQ1_M(29),
    BF16(30, ScalarFormat.BF16),
    TQ1_0(34, new TQ1_0()),
    TQ2_0(35, new TQ2_0()),
    MXFP4(39, new MXFP4());

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

    /** The names of those that weights are read from, for messages. */
    static String readable() {
        return Arrays.stream(values())
                .filter(type -> type.format instanceof BlockFormat
                        || type.format instanceof ScalarFormat scalar && scalar.floating())
                .map(GgmlType::name)
                .collect(Collectors.joining(", "));
    }

    /** The number that stands for it in files. */
    public int id() {
        return id;
    }

    /**
     * What {@code general.file_type} is where most numbers are of this type (llama.h, {@code enum llama_ftype}); of a mix the
     * one named after its middle size. Types without a number of their own count as F32.
     */
    public int fileType() {
        return switch (this) {
            case F16 -> 1;
            case Q4_0 -> 2;
            case Q4_1 -> 3;
            case Q8_0 -> 7;
            case Q5_0 -> 8;
            case Q5_1 -> 9;
            case Q2_K -> 10;
            case Q3_K -> 12;
            case Q4_K -> 15;
            case Q5_K -> 17;
            case Q6_K -> 18;
            case IQ4_NL -> 25;
            case IQ4_XS -> 30;
            case BF16 -> 32;
            case TQ1_0 -> 36;
            case TQ2_0 -> 37;
            case MXFP4 -> 38;
            case F32, F64, I8, I16, I32, I64, Q8_1, Q8_K, IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ3_S, IQ2_S, IQ1_M -> 0;
        };
    }

    /** How Demitasse reads it, if it does. */
    public Optional<TensorFormat> format() {
        return Optional.ofNullable(format);
    }
}
