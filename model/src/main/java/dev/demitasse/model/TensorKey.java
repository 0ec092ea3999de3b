package dev.demitasse.model;

/**
 * Names a tensor of a model independently of any file format.
 *
 * @param role what it does
 * @param part weight, bias, or the scales of a weight's rows
 * @param layer the layer from 0, or {@link #NO_LAYER}
 * @param expert which of the layer's experts from 0, or {@link #NO_EXPERT}
 */
public record TensorKey(Role role, Part part, int layer, int expert) {
    /** The layer of a tensor that stands outside the layers. */
    public static final int NO_LAYER = -1;

    /** The expert of a tensor that belongs to none. */
    public static final int NO_EXPERT = -1;

    /** Which of a module's tensors. */
    public enum Part {
        WEIGHT,
        BIAS,
        /** Scale of each output row, F32 {@code [out]}, of a weight whose format is {@link dev.demitasse.model.format.TensorFormat#rowScaled}. */
        SCALE,
        /** F32, one number: the scale that the inputs of a weight are rounded to 8 bits by, where it is fixed. */
        INPUT_SCALE,
        /** U8, one number: the code of an input of 0, where that is fixed. */
        INPUT_ZERO_POINT,
        /** F16 {@code [out, k]}: columns of a quantized weight that are kept beside it, see {@link Outliers}. */
        OUTLIERS,
        /** I32 {@code [k]}: which columns these are, ascending. */
        OUTLIER_COLUMNS;

        /** Whether it belongs to a weight that is quantized and stands beside it alone, wherever the weight stands. */
        public boolean beside() {
            return this == SCALE || this == OUTLIERS || this == OUTLIER_COLUMNS;
        }
    }

    public TensorKey {
        if (role.perLayer() != (layer >= 0) || role.perExpert() != (expert >= 0)) {
            throw new IllegalArgumentException(role + " with layer " + layer + " and expert " + expert);
        }
    }

    public TensorKey(Role role, Part part, int layer) {
        this(role, part, layer, NO_EXPERT);
    }

    public static TensorKey weight(Role role, int layer) {
        return new TensorKey(role, Part.WEIGHT, layer);
    }

    public static TensorKey weight(Role role) {
        return new TensorKey(role, Part.WEIGHT, NO_LAYER);
    }

    public static TensorKey bias(Role role, int layer) {
        return new TensorKey(role, Part.BIAS, layer);
    }

    /** A weight of one expert. */
    public static TensorKey expert(Role role, int layer, int expert) {
        return new TensorKey(role, Part.WEIGHT, layer, expert);
    }

    /** The same module's other part. */
    public TensorKey part(Part other) {
        return new TensorKey(role, other, layer, expert);
    }

    /** The same tensor of another layer. */
    public TensorKey inLayer(int other) {
        return role.perLayer() ? new TensorKey(role, part, other, expert) : this;
    }
}
