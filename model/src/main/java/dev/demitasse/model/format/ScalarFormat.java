package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Locale;

/** One number per element. */
public enum ScalarFormat implements TensorFormat {
    F32(4),
    F16(2),
    BF16(2),
    F64(8),
    I64(8),
    I32(4),
    I16(2),
    I8(1),
    F8_E4M3(1),
    U8(1),
    BOOL(1);

    /** Little-endian views without an alignment demand: files do not always keep it. */
    static final ValueLayout.OfFloat LITTLE_FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    static final ValueLayout.OfShort LITTLE_SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt LITTLE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LITTLE_LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfDouble LITTLE_DOUBLE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final int bytes;

    ScalarFormat(int bytes) {
        this.bytes = bytes;
    }

    @Override
    public String id() {
        return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public String weightName() {
        return switch (this) {
            case I8 -> "int8";
            case F8_E4M3 -> "fp8";
            case F64, F32, F16, BF16, I64, I32, I16, U8, BOOL -> id();
        };
    }

    @Override
    public boolean rowScaled() {
        return this == I8 || this == F8_E4M3;
    }

    @Override
    public float largest() {
        return switch (this) {
            case I8 -> 127;
            case F8_E4M3 -> Float8.LARGEST;
            case F64, F32, F16, BF16, I64, I32, I16, U8, BOOL -> TensorFormat.super.largest();
        };
    }

    @Override
    public int blockSize() {
        return 1;
    }

    @Override
    public int bytesPerBlock() {
        return bytes;
    }

    /** What a code of a weight in it stands for before the row's scale, in ascending order; of a {@link #rowScaled} one. */
    public Levels levels() {
        return switch (this) {
            case I8 -> new Levels.Integers(-127, 127);
            case F8_E4M3 -> Float8.LEVELS;
            case F64, F32, F16, BF16, I64, I32, I16, U8, BOOL ->
                throw new IllegalStateException(id() + " has no scale for rows");
        };
    }

    /** Whether it is a floating-point type that weights may have as they are, without a scale. */
    public boolean floating() {
        return switch (this) {
            case F64, F32, F16, BF16 -> true;
            case I64, I32, I16, I8, F8_E4M3, U8, BOOL -> false;
        };
    }

    @Override
    public void decode(MemorySegment source, long offset, float[] target, int at, int count) {
        switch (this) {
            case F32 -> MemorySegment.copy(source, LITTLE_FLOAT, offset, target, at, count);
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    target[at + i] = Float.float16ToFloat(source.get(LITTLE_SHORT, offset + 2L * i));
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    target[at + i] = Float.intBitsToFloat(source.get(LITTLE_SHORT, offset + 2L * i) << 16);
                }
            }
            case F64 -> {
                for (int i = 0; i < count; i++) {
                    target[at + i] = (float) source.get(LITTLE_DOUBLE, offset + 8L * i);
                }
            }
            case I64 -> {
                for (int i = 0; i < count; i++) {
                    target[at + i] = source.get(LITTLE_LONG, offset + 8L * i);
                }
            }
            case I32 -> {
                for (int i = 0; i < count; i++) {
                    target[at + i] = source.get(LITTLE_INT, offset + 4L * i);
                }
            }
            case I16 -> {
                for (int i = 0; i < count; i++) {
                    target[at + i] = source.get(LITTLE_SHORT, offset + 2L * i);
                }
            }
            case I8 -> {
                for (int i = 0; i < count; i++) {
                    target[at + i] = source.get(ValueLayout.JAVA_BYTE, offset + i);
                }
            }
            case F8_E4M3 -> {
                for (int i = 0; i < count; i++) {
                    target[at + i] = Float8.toFloat(source.get(ValueLayout.JAVA_BYTE, offset + i));
                }
            }
            case U8, BOOL -> {
                for (int i = 0; i < count; i++) {
                    target[at + i] = source.get(ValueLayout.JAVA_BYTE, offset + i) & 0xff;
                }
            }
        }
    }

    /** The whole number at byte {@code offset} of {@code source}; of an integer type. */
    public long decodeInteger(MemorySegment source, long offset) {
        return switch (this) {
            case I64 -> source.get(LITTLE_LONG, offset);
            case I32 -> source.get(LITTLE_INT, offset);
            case I16 -> source.get(LITTLE_SHORT, offset);
            case I8 -> source.get(ValueLayout.JAVA_BYTE, offset);
            case U8, BOOL -> source.get(ValueLayout.JAVA_BYTE, offset) & 0xff;
            case F64, F32, F16, BF16, F8_E4M3 -> throw new IllegalArgumentException(id() + " holds no whole numbers");
        };
    }

    @Override
    public void encode(float[] source, int at, int count, MemorySegment target, long offset) {
        switch (this) {
            case F32 -> MemorySegment.copy(source, at, target, LITTLE_FLOAT, offset, count);
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    target.set(LITTLE_SHORT, offset + 2L * i, Float.floatToFloat16(source[at + i]));
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    target.set(LITTLE_SHORT, offset + 2L * i, toBfloat16(source[at + i]));
                }
            }
            case F64 -> {
                for (int i = 0; i < count; i++) {
                    target.set(LITTLE_DOUBLE, offset + 8L * i, source[at + i]);
                }
            }
            case I8 -> {
                for (int i = 0; i < count; i++) {
                    long code = (long) Math.rint(source[at + i]);
                    target.set(ValueLayout.JAVA_BYTE, offset + i, (byte) Math.clamp(code, -127, 127));
                }
            }
            case F8_E4M3 -> {
                for (int i = 0; i < count; i++) {
                    target.set(ValueLayout.JAVA_BYTE, offset + i, Float8.of(source[at + i]));
                }
            }
            case I64, I32, I16, U8, BOOL ->
                throw new IllegalArgumentException(id() + " does not hold floats; write its bytes");
        }
    }

    /** The nearest bfloat16, ties to even, as a float; a NaN stays one. */
    public static float roundToBfloat16(float value) {
        return Float.intBitsToFloat(toBfloat16(value) << 16);
    }

    static short toBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }
}
