package dev.demitasse.model.format;

import static dev.demitasse.model.format.ScalarFormat.LITTLE_SHORT;

import java.lang.foreign.MemorySegment;

/** Float16 scales in blocks. */
final class Halves {
    static final int BYTES = 2;

    private Halves() {}

    static float get(MemorySegment source, long offset) {
        return Float.float16ToFloat(source.get(LITTLE_SHORT, offset));
    }

    static void put(float value, MemorySegment target, long offset) {
        target.set(LITTLE_SHORT, offset, Float.floatToFloat16(value));
    }
}
