package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * How the numbers of a tensor lie in memory: blocks of {@link #blockSize} consecutive elements of a row, each taking
 * {@link #bytesPerBlock} bytes, little-endian. A scalar type is a block of one.
 */
public sealed interface TensorFormat permits ScalarFormat, BlockFormat {
    /** Every format that Demitasse reads and writes. */
    static List<TensorFormat> all() {
        List<TensorFormat> all = new ArrayList<>(List.of(
                ScalarFormat.F32,
                ScalarFormat.F16,
                ScalarFormat.BF16,
                ScalarFormat.F64,
                ScalarFormat.I64,
                ScalarFormat.I32,
                ScalarFormat.I16,
                ScalarFormat.I8,
                ScalarFormat.F8_E4M3,
                ScalarFormat.U8,
                ScalarFormat.BOOL,
                new Q8_0(),
                new Q4_0(),
                new Q4_1(),
                new Q5_0(),
                new Q5_1(),
                new Q2_K(),
                new Q3_K(),
                new Q4_K(),
                new Q5_K(),
                new Q6_K(),
                new IQ4_NL(),
                new IQ4_XS(),
                new TQ1_0(),
                new TQ2_0(),
                new MXFP4(),
                new NF4()));
        all.addAll(IntegerGroup.all());
        return List.copyOf(all);
    }

    /** The format whose {@link #id} is {@code id}, whatever its case. */
    static Optional<TensorFormat> of(String id) {
        return all().stream()
                .filter(format -> format.id().equals(id.toLowerCase(Locale.ROOT)))
                .findFirst();
    }

    /** The name used in recipes and reports: {@code f32}, {@code q4_0}. */
    String id();

    /**
     * What weights in it are called in recipes and reports: {@link #id}, but {@code int8} and {@code fp8} where rows have
     * scales.
     */
    default String weightName() {
        return id();
    }

    /**
     * Whether each row of a weight in it is multiplied by a float32 that stands beside it,
     * {@link dev.demitasse.model.TensorKey.Part#SCALE}; {@link #decode} and {@link #encode} know nothing of it.
     */
    default boolean rowScaled() {
        return false;
    }

    /** The largest magnitude that it holds and its opposite too; where {@link #rowScaled}, a row's largest number becomes it. */
    default float largest() {
        throw new IllegalStateException(id() + " has no scale for rows");
    }

    /** Elements in a block. */
    int blockSize();

    /** Bytes of a block. */
    int bytesPerBlock();

    /**
     * Reads {@code count} elements (a multiple of {@link #blockSize}) that start at byte {@code offset} of
     * {@code source} into {@code target} from index {@code at}.
     */
    void decode(MemorySegment source, long offset, float[] target, int at, int count);

    /**
     * Writes {@code count} elements (a multiple of {@link #blockSize}) from index {@code at} of {@code source} to byte
     * {@code offset} of {@code target}, rounding to nearest as the format's reference encoder does.
     */
    void encode(float[] source, int at, int count, MemorySegment target, long offset);

    /** Bits that one element takes on average. */
    default double bitsPerElement() {
        return 8.0 * bytesPerBlock() / blockSize();
    }

    /** Whether a row of {@code columns} elements consists of whole blocks. */
    default boolean fits(long columns) {
        return columns % blockSize() == 0;
    }

    /**
     * Bytes of {@code elements} consecutive elements.
     *
     * @throws ArithmeticException past 2⁶³
     */
    default long bytes(long elements) {
        if (elements % blockSize() != 0) {
            throw new IllegalArgumentException(
                    "%s holds multiples of %d elements, not %d".formatted(id(), blockSize(), elements));
        }
        return Math.multiplyExact(elements / blockSize(), (long) bytesPerBlock());
    }
}
