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
    };

    /** The storable number nearest to {@code scale}. */
    public abstract float round(double scale);
}
