package dev.demitasse.model.format;

/**
 * FP8 E4M3 in its finite form (Micikevicius et al., arXiv:2209.05433, table 1): a sign, four bits of exponent, three of
 * mantissa; no infinities, NaN where all seven lower bits are set, largest magnitude 448, least 2⁻⁹.
 */
final class Float8 {
    /** The largest magnitude. */
    static final float LARGEST = 448;

    private static final int EXPONENT_BIAS = 7;
    private static final int MANTISSA_BITS = 3;
    private static final float[] VALUES = values();

    /** All there are, 0 once. */
    static final Levels.Table LEVELS = levels();

    private Float8() {}

    private static Levels.Table levels() {
        float[] levels = new float[2 * 126 + 1];
        for (int code = 0; code < 127; code++) {
            levels[126 + code] = VALUES[code];
            levels[126 - code] = -VALUES[code];
        }
        levels[126] = 0;
        return new Levels.Table(levels);
    }

    private static float[] values() {
        float[] values = new float[256];
        for (int code = 0; code < values.length; code++) {
            int exponent = code >> MANTISSA_BITS & 15;
            int mantissa = code & 7;
            float magnitude = exponent == 0
                    ? Math.scalb(mantissa, 1 - EXPONENT_BIAS - MANTISSA_BITS)
                    : Math.scalb(8f + mantissa, exponent - EXPONENT_BIAS - MANTISSA_BITS);
            values[code] = (code & 127) == 127 ? Float.NaN : code < 128 ? magnitude : -magnitude;
        }
        return values;
    }

    /** What a byte stands for. */
    static float toFloat(byte code) {
        return VALUES[code & 0xff];
    }

    /** The nearest, ties to the even mantissa; what is past the largest becomes the largest, a NaN stays one. */
    static byte of(float value) {
        int sign = Float.floatToRawIntBits(value) >>> 24 & 128;
        if (Float.isNaN(value)) {
            return (byte) (sign | 127);
        }
        float magnitude = Math.min(Math.abs(value), LARGEST);
        int exponent = Math.max(Math.getExponent(magnitude), 1 - EXPONENT_BIAS);
        // In steps of this exponent's last place; a mantissa that overflows runs over into the exponent.
        int steps = (int) Math.rint(Math.scalb((double) magnitude, MANTISSA_BITS - exponent));
        return (byte) (sign | (exponent + EXPONENT_BIAS - 1 << MANTISSA_BITS) + steps);
    }
}
