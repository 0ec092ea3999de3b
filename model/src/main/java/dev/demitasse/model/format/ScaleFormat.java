package dev.demitasse.model.format;

/** In what a block's scale is stored. */
public enum ScaleFormat {
    F32 {
        @Override
        public float round(double scale) {
            return (float) scale;
        }
    },
    F16 {
        @Override
        public float round(double scale) {
            return Float.float16ToFloat(Float.floatToFloat16((float) scale));
        }
    },
    /** {@link ScalarFormat#F8_E4M3}, of either sign. */
    E4M3 {
        @Override
        public float round(double scale) {
            return Float8.toFloat(Float8.of((float) scale));
        }
    },
    /** A power of two, in one byte: 2^(byte − 128), half of what OCP's E8M0 makes of it. */
    E8M0 {
        @Override
        public float round(double scale) {
            double least = Math.scalb(1.0, -EXPONENT_BIAS);
            // A scale between two powers of two serves best at the one whose ratio to it is nearer to 1.
            double power = Math.rint(Math.log(Math.max(scale, least)) / Math.log(2));
            return (float) Math.scalb(1.0, (int) Math.min(power, 255 - EXPONENT_BIAS));
        }
    };

    private static final int EXPONENT_BIAS = 128;

    /** The storable number nearest to {@code scale}. */
    public abstract float round(double scale);

    /** The byte of a power of two. */
    static byte exponentCode(float power) {
        boolean subnormal = power < Float.MIN_NORMAL;
        return (byte)
                (subnormal ? power == Math.scalb(1f, -EXPONENT_BIAS) ? 0 : 1 : Math.getExponent(power) + EXPONENT_BIAS);
    }

    /** The power of two of a byte. */
    static float ofExponentCode(byte code) {
        return Math.scalb(1f, (code & 0xff) - EXPONENT_BIAS);
    }
}
