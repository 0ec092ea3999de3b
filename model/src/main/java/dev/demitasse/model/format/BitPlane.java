package dev.demitasse.model.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Some bits of every code of a block, several codes to a byte: {@code stride} bytes hold the bits of the first
 * {@code stride} codes lowest, those of the next {@code stride} codes above them, and so on until the bytes are full; then
 * the next bytes begin. Where strides are whole longs, as nearly all are, eight codes are worked at in one.
 *
 * @param bits of each code: 1, 2 or 4
 */
record BitPlane(int stride, int bits) {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle EIGHT_CODES =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final int EIGHT = Long.BYTES;

    /** A 1 in each byte. */
    private static final long ONES = 0x0101010101010101L;

    private static final long SIGNS = ONES << 7;
    private static final long NIBBLES = ONES * 15;

    /** Bit i in byte i, and what is missing there to bit 7. */
    private static final long DIAGONAL = 0x8040201008040201L;

    private static final long TO_SIGNS = 0x00406070787c7e7fL;

    /** Sets the bits from {@code place} on of every code; those from 0 on set the others to 0. */
    void get(MemorySegment source, long offset, byte[] codes, int place) {
        if (stride % EIGHT == 0 && bits == 4 && place == 0) {
            getNibbles(source, offset, codes);
        } else if (stride % EIGHT == 0) {
            getEights(source, offset, codes, place);
        } else if (stride == 1 && bits == 1) {
            getSpread(source, offset, codes, place);
        } else {
            getBytes(source, offset, codes, place);
        }
    }

    private void getNibbles(MemorySegment source, long offset, byte[] codes) {
        long start = offset;
        for (int group = 0; group < codes.length; group += 2 * stride) {
            for (int i = group; i < group + stride; i += EIGHT, start += EIGHT) {
                long packed = source.get(LONG, start);
                EIGHT_CODES.set(codes, i, packed & NIBBLES);
                EIGHT_CODES.set(codes, i + stride, packed >>> 4 & NIBBLES);
            }
        }
    }

    private void getEights(MemorySegment source, long offset, byte[] codes, int place) {
        int fields = 8 / bits;
        long mask = ONES * ((1 << bits) - 1);
        long start = offset;
        for (int group = 0; group < codes.length; group += stride * fields) {
            for (int i = group; i < group + stride; i += EIGHT, start += EIGHT) {
                long packed = source.get(LONG, start);
                for (int field = 0; field < fields; field++) {
                    int at = i + field * stride;
                    long part = (packed >>> field * bits & mask) << place;
                    EIGHT_CODES.set(codes, at, place == 0 ? part : part | (long) EIGHT_CODES.get(codes, at));
                }
            }
        }
    }

    /** A bit for each of eight codes that are neighbours. */
    private static void getSpread(MemorySegment source, long offset, byte[] codes, int place) {
        for (int at = 0; at < codes.length; at += EIGHT) {
            long repeated = (source.get(ValueLayout.JAVA_BYTE, offset + at / EIGHT) & 0xff) * ONES;
            long part = ((repeated & DIAGONAL) + TO_SIGNS >>> 7 & ONES) << place;
            EIGHT_CODES.set(codes, at, place == 0 ? part : part | (long) EIGHT_CODES.get(codes, at));
        }
    }

    private void getBytes(MemorySegment source, long offset, byte[] codes, int place) {
        int mask = (1 << bits) - 1;
        int keep = place == 0 ? 0 : -1;
        long start = offset;
        for (int group = 0; group < codes.length; group += stride * (8 / bits), start += stride) {
            for (int field = 0; field < 8 / bits; field++) {
                int shift = field * bits;
                int first = group + field * stride;
                for (int i = 0; i < stride; i++) {
                    int part = (source.get(ValueLayout.JAVA_BYTE, start + i) >> shift & mask) << place;
                    codes[first + i] = (byte) (codes[first + i] & keep | part);
                }
            }
        }
    }

    /** Writes the bits from {@code place} on of every code plus {@code bias}. */
    void put(byte[] codes, int bias, int place, MemorySegment target, long offset) {
        if (stride % EIGHT == 0) {
            putEights(codes, bias, place, target, offset);
        } else {
            putBytes(codes, bias, place, target, offset);
        }
    }

    private void putEights(byte[] codes, int bias, int place, MemorySegment target, long offset) {
        int fields = 8 / bits;
        long mask = ONES * ((1 << bits) - 1);
        long biases = ONES * bias;
        long start = offset;
        for (int group = 0; group < codes.length; group += stride * fields) {
            for (int i = group; i < group + stride; i += EIGHT, start += EIGHT) {
                long packed = 0;
                for (int field = 0; field < fields; field++) {
                    long eight = addBytes((long) EIGHT_CODES.get(codes, i + field * stride), biases);
                    packed |= (eight >>> place & mask) << field * bits;
                }
                target.set(LONG, start, packed);
            }
        }
    }

    private void putBytes(byte[] codes, int bias, int place, MemorySegment target, long offset) {
        int mask = (1 << bits) - 1;
        long start = offset;
        for (int group = 0; group < codes.length; group += stride * (8 / bits), start += stride) {
            for (int i = 0; i < stride; i++) {
                int packed = 0;
                for (int field = 0; field < 8 / bits; field++) {
                    packed |= (codes[group + field * stride + i] + bias >> place & mask) << field * bits;
                }
                target.set(ValueLayout.JAVA_BYTE, start + i, (byte) packed);
            }
        }
    }

    /** Takes {@code bias} off every code. */
    static void subtract(int bias, byte[] codes) {
        int whole = codes.length / EIGHT * EIGHT;
        long biases = ONES * (-bias & 0xff);
        for (int i = 0; i < whole; i += EIGHT) {
            EIGHT_CODES.set(codes, i, addBytes((long) EIGHT_CODES.get(codes, i), biases));
        }
        for (int i = whole; i < codes.length; i++) {
            codes[i] -= (byte) bias;
        }
    }

    /** Byte by byte, modulo 256: signs are added apart, so that nothing is carried from one byte to the next. */
    private static long addBytes(long one, long other) {
        return (one & ~SIGNS) + (other & ~SIGNS) ^ (one ^ other) & SIGNS;
    }
}
